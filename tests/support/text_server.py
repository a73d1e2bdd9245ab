"""A stand-in for an OpenAI-compatible server, with the endpoints of `--has` and the answers that a test sets.

`python -m tests.support.text_server --has fim,chat` prints its port. `POST /answers [text, ...]` sets the
answers to the next requests; the last one is given from then on. `test_text_servers.py` asks a real server.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

from . import faulty_server

PATHS = {
    "/infill": "infill",
    "/v1/fim/completions": "fim",
    "/v1/completions": "suffix",
    "/v1/chat/completions": "chat",
    "/v1/edit/completions": "edit",
}
FIELDS = {
    "infill": {"input_prefix", "input_suffix", "n_predict"},
    "fim": {"prompt", "suffix"},
    "suffix": {"prompt", "suffix"},
    "chat": {"messages"},
    "edit": {"messages"},
}
PLAIN = {"prompt", "stop"}  # of a completion without text after it
LOGPROB = -0.1  # of each piece


class Server(faulty_server.Server):
    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(Handler, args)
        self.has = set(args.has.split(","))
        self.logprobs = not args.no_logprobs
        self.pause_s = args.pause
        self.blind = args.blind
        self.newer = args.newer
        self.answers = [args.answer]


class Handler(faulty_server.Handler):
    server: Server

    def do_POST(self) -> None:
        if self.path == "/answers":
            self.server.answers = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(200, {})
        else:
            super().do_POST()

    def respond(self, body: Any) -> None:
        kind = PATHS.get(self.path)
        if kind not in self.server.has:
            self.refuse(404, "Not Found")
        elif body.get("logprobs") and not self.server.logprobs:
            self.refuse(400, f"logprobs is not supported; the request was {body}")
        elif self.server.newer and ("max_tokens" in body or body.get("temperature", 1) != 1):
            self.refuse(400, self.server.newer)
        elif not FIELDS[kind] <= body.keys() and not (kind == "suffix" and body.keys() >= PLAIN):
            self.refuse(422, "missing field")
        elif (images := image_count(body)) is None:
            self.refuse(422, "content parts are text, or image_url with a data URL")
        elif images and self.server.blind:
            self.refuse(self.server.blind, "image input is not supported")
        elif not body.get("stream"):
            text = self.server.answers[0] if kind == "edit" else "x"
            self.answer(200, self.event(kind, text, body, stream=False))
        else:
            answers = self.server.answers
            text = answers.pop(0) if len(answers) > 1 else answers[0]
            cut = self.server.fault == "cut stream"
            done = not cut and kind != "infill"
            self.events(self.pieces(kind, text[: len(text) // 2] if cut else text, body, cut), done)

    def pieces(self, kind: str, text: str, body: dict[str, Any], cut: bool) -> Iterator[Any]:
        for start in range(0, len(text), 4):
            time.sleep(self.server.pause_s)
            yield self.event(kind, text[start : start + 4], body, stream=True)
        if self.server.fault == "error in stream":
            yield {"error": {"message": "the engine is dead"}}
        elif kind == "infill" and not cut:
            yield {"content": "", "stop": True, "stop_type": "eos"}
        elif not cut:
            reason = "length" if self.server.fault == "length" else "stop"
            yield {"choices": [self.choice(kind, "", body, stream=True) | {"finish_reason": reason}]}
            yield {"choices": [], "usage": {"total_tokens": 1}}

    def event(self, kind: str, text: str, body: dict[str, Any], stream: bool) -> dict[str, Any]:
        if kind != "infill":
            return {"choices": [self.choice(kind, text, body, stream)]}
        told = body.get("n_probs") and self.server.logprobs and text
        probabilities = [{"id": 1, "token": "?", "logprob": LOGPROB}] if told else []
        return {"content": text, "stop": not stream, "completion_probabilities": probabilities}

    def choice(self, kind: str, text: str, body: dict[str, Any], stream: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"index": 0, "finish_reason": None if stream else "stop"}
        if kind in ("chat", "edit"):
            found["delta" if stream else "message"] = {"role": "assistant", "content": text}
        else:
            found["text"] = text
        if body.get("logprobs"):
            values = [LOGPROB] if text else []
            chat = {"content": [{"token": "?", "logprob": value} for value in values]}
            found["logprobs"] = chat if kind == "chat" else {"token_logprobs": values, "tokens": ["?"]}
        return found


def image_count(body: dict[str, Any]) -> int | None:
    """The number of images in a request; None where its messages are not as OpenAI specifies them."""
    count = 0
    for message in body.get("messages", []):
        parts = message["content"]
        for part in [] if isinstance(parts, str) else parts:
            if part.keys() == {"type", "text"} and part["type"] == "text" and isinstance(part["text"], str):
                continue
            if part.keys() != {"type", "image_url"} or part["type"] != "image_url":
                return None
            start, _, data = part["image_url"]["url"].partition(";base64,")
            if not start.startswith("data:image/") or not base64.b64decode(data, validate=True):
                return None
            count += 1
    return count


def main() -> None:
    parser = faulty_server.arguments()
    parser.add_argument("--has", default="fim,suffix,chat")
    parser.add_argument("--no-logprobs", action="store_true")
    parser.add_argument("--newer", default="", help="takes no max_tokens and no temperature, and says this")
    parser.add_argument("--blind", type=int, default=0, help="status that refuses images")
    parser.add_argument("--answer", default="1", help="until others are set")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each piece of a stream")
    faulty_server.serve(Server(parser.parse_args()))


if __name__ == "__main__":
    main()
