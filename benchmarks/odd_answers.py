"""Answers of model servers for benchmarks/fuzz_answers.py, from proper to hopeless.

All of it follows from the random generator that is given; nothing here sends anything.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_runtime.remote import wire

ELSEWHERE = "http://elsewhere.invalid/v1/completions"  # where redirects lead
MODEL = "served"
TEXTS = [
    "1",
    "x + 1)",
    "",
    " ",
    "\n",
    "é😀",
    "\u2028\x0c",
    "\0",
    "```python\nx\n```",
    "Sure:\n",
    "x" * 20_000,
    "(" * 500,
]
ODD: list[Any] = [
    *(
        None,
        0,
        -1,
        17,
        2**31,
        2**63,
        2**64,
        10**400,
        1.5,
        1e308,
        -1e308,
        5e3,
        True,
        "",
        "x",
        "17",
        [],
        {},
        [[]],
        [None],
    ),
    *("token_id:" + "9" * 30, "token_id:-1", "\x1b[31m\nforged: line", "x" * 100_000),
]


@dataclass(frozen=True)
class Reply:
    """What comes back over a connection. `broken`: it ends without the end of HTTP's framing."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False

    def pieces(self, rng: random.Random) -> list[bytes]:
        """The body in a few parts, cut anywhere, also inside a character."""
        cuts = sorted(rng.randrange(len(self.body) + 1) for _ in range(rng.choice([0, 0, 1, 3])))
        return [self.body[a:b] for a, b in zip([0, *cuts], [*cuts, len(self.body)], strict=True)]


class Replies:
    """Answers to the requests of one backend's client."""

    def __init__(self, rng: random.Random, vocabulary: int, canvas: int, tokens: Sequence[int]) -> None:
        """`tokens`: the ids of the text that a first contact asks a vLLM server about."""
        self.rng, self.vocabulary, self.canvas, self.tokens = rng, vocabulary, canvas, tokens

    def to(self, path: str, body: Any, *, odd: float) -> Reply:
        """An answer to one request, wrong in some way with the probability `odd`."""
        proper = self._proper(path, body)
        if self.rng.random() >= odd:
            return proper
        kind = self.rng.randrange(10)
        if kind < 4:
            return self._of_values(proper)
        if kind == 4:
            return Reply(
                proper.body[: self.rng.randrange(len(proper.body) + 1)],
                200,
                proper.headers,
                self.rng.random() < 0.7,
            )
        if kind == 5:
            return Reply(self._garbled(proper.body), 200, proper.headers)
        if kind == 6:
            return self._refusal()
        if kind == 7:
            headers = {
                "location": self.rng.choice([ELSEWHERE, "//elsewhere.invalid/", "/v1/models", "http://[", ""])
            }
            return Reply(b"", self.rng.choice([300, 301, 302, 303, 307, 308]), headers)
        if kind == 8:
            return Reply(
                self._encoded(proper.body),
                200,
                {
                    **proper.headers,
                    "content-encoding": self.rng.choice(["gzip", "deflate", "br", "x", "identity"]),
                },
            )
        return Reply(self._nested(proper), 200, proper.headers)

    def _proper(self, path: str, body: Any) -> Reply:
        if path == wire.MODELS:
            return _json({"data": [{"id": MODEL, "root": "a/" + MODEL, "max_model_len": 100_000}]})
        if path == wire.TOKENIZE:
            return _json({"tokens": list(self.tokens)})
        extra = body.get("vllm_xargs")
        if extra and extra.get("diffusion_max_steps") == 0:
            width = max(256, self.canvas)
            said = f"diffusion_seed_canvas must hold exactly {width} ids"
            return _json({"error": {"message": said}}, 400)
        if extra:
            return _json(self._canvas(extra["diffusion_canvas_length"]))
        chunks = [self._chunk(path, end=end) for end in [False] * self.rng.randrange(3) + [True]]
        if not body.get("stream"):
            return _json(chunks[-1])
        data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
        return Reply(data + b"data: [DONE]\n\n", 200, {"content-type": "text/event-stream"})

    def _canvas(self, width: int) -> Any:
        ids = [self.rng.randrange(self.vocabulary) for _ in range(width)]
        logprobs = {
            "tokens": [f"token_id:{each}" for each in ids],
            "token_logprobs": [-self.rng.random() for _ in ids],
            "top_logprobs": [
                {f"token_id:{each}": -0.1, f"token_id:{self.rng.randrange(self.vocabulary)}": -2.5}
                for each in ids
            ],
        }
        return {"choices": [{"index": 0, "token_ids": ids, "logprobs": logprobs}]}

    def _chunk(self, path: str, *, end: bool) -> Any:
        text, nats = self.rng.choice(TEXTS), -self.rng.random()
        if path == "/infill":
            return {"content": text, "stop": end, "completion_probabilities": [{"logprob": nats}]}
        finish = "stop" if end else None
        if "chat" in path:
            said = {"content": text, "role": "assistant"}
            logprobs: Any = {"content": [{"token": "x", "logprob": nats}]}
            return {
                "choices": [{"delta": said, "message": said, "logprobs": logprobs, "finish_reason": finish}]
            }
        logprobs = {"token_logprobs": [nats, None]}
        return {"choices": [{"text": text, "logprobs": logprobs, "finish_reason": finish}]}

    def _of_values(self, proper: Reply) -> Reply:
        """With values of the wrong type, length or range, in the answer or in one event of the stream."""
        parts = proper.body.split(b"\n\n") if b"data: " in proper.body else [proper.body]
        at = self.rng.randrange(len(parts))
        mark = b"data: " if parts[at].startswith(b"data: {") else b""
        try:
            found = json.loads(parts[at].removeprefix(mark))
        except ValueError:  # the mark of the end
            return Reply(
                proper.body.replace(b"[DONE]", self.rng.choice([b"", b"[DONE", b"{}", b'{"error": 1}'])),
                200,
                proper.headers,
            )
        for _ in range(self.rng.choice([1, 1, 1, 3])):
            found = self._mutated(found)
        parts[at] = mark + json.dumps(found).encode()
        return Reply(b"\n\n".join(parts), proper.status, proper.headers)

    def _mutated(self, found: Any) -> Any:
        """One part of the value, anywhere in it, replaced, doubled or missing."""
        holder = root = [found]
        key: Any = 0
        while isinstance(value := holder[key], dict | list) and value and self.rng.random() < 0.85:
            holder = value
            key = self.rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        kind = self.rng.random()
        if kind < 0.15 and holder is not root:
            del holder[key]
        elif kind < 0.3 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind < 0.5 and isinstance(holder, dict):  # another key: an id that does not exist
            holder[self.rng.choice([each for each in ODD if isinstance(each, str)])] = holder.pop(key)
        elif isinstance(holder[key], int | float) and self.rng.random() < 0.6:
            holder[key] = self.rng.choice([each for each in ODD if isinstance(each, int | float)])
        else:
            holder[key] = copy.deepcopy(self.rng.choice(ODD))
        return root[0]

    def _garbled(self, data: bytes) -> bytes:
        changed = bytearray(data or b"x")
        for _ in range(self.rng.randrange(1, 6)):
            changed[self.rng.randrange(len(changed))] = self.rng.randrange(256)
        return self.rng.choice(
            [
                bytes(changed),
                bytes(changed),
                self.rng.randbytes(60),
                b"<html>sign in</html>",
                b"\xff\xfe" + data,
            ]
        )

    def _refusal(self) -> Reply:
        status = self.rng.choice(
            [100, 204, 206, 400, 401, 403, 404, 405, 413, 418, 422, 429, 500, 501, 503, 599, 999]
        )
        said = self.rng.choice(
            [
                "a diffusion model: diffusion_seed_canvas must hold exactly "
                + self.rng.choice(["9" * 5000, "1", "0"])
                + " ids",
                "This model's maximum context length is 1",
                "max_completion_tokens",
                "image",
                "",
                "x" * 50_000,
            ]
        )
        found = self.rng.choice(
            [{"error": {"message": said}}, {"message": said}, {"detail": [said]}, {"error": None}, said, None]
        )
        body = self.rng.choice([json.dumps(found).encode()] * 4 + [b"[" * 9_000, b"9" * 6_000, b"\xff", b""])
        after = self.rng.choice(
            [
                "",
                "1",
                "1e9",
                "-1",
                "nan",
                "9" * 400,
                "Wed, 21 Oct 99999 07:28:00 GMT",
                "Wed, 21 Oct 2015 07:28:00 -9999",
                "x" * 9_000,
            ]
        )
        return Reply(body, status, {"retry-after": after} if after else {})

    def _encoded(self, data: bytes) -> bytes:
        packed = gzip.compress(data, 1)
        return self.rng.choice([packed, packed[: len(packed) // 2], data, self._garbled(packed)])

    def _nested(self, proper: Reply) -> bytes:
        deep = self.rng.choice([b"[", b'{"a":']) * self.rng.choice([900, 3_000, 30_000])
        deep = self.rng.choice([deep, b'{"choices": ' + deep, b'{"x": ' + deep])
        return b"data: " + deep + b"\n\n" if b"data: " in proper.body else deep


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status, {"content-type": "application/json"})
