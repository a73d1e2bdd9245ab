"""Requests to vLLM's `/v1/completions` for a diffusion model, and its answers. Token ids only, no text.

The fields are those of vLLM 0.32 and 0.33 (`vllm/utils/diffusion.py`,
`entrypoints/openai/completion/protocol.py`); `tests/support/vllm_rules.py` holds them to that.
`prompt_logprobs` and `echo`, which asks for them, are never sent: a diffusion model's server ends itself over
them (an assertion in `v1/core/sched/scheduler.py`, in 0.30 to 0.33).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

COMPLETIONS = "/v1/completions"
MODELS = "/v1/models"
TOKENIZE = "/tokenize"
MOST_NAME = 200  # characters of a model's name
TOP = 20  # likeliest tokens that come back for each position: as many as vLLM gives unless told otherwise
_TOKEN = re.compile(r"token_id:(\d{1,9})", re.ASCII)
_SERVED_CANVAS = re.compile(r"diffusion_seed_canvas must hold exactly (\d{1,9}) ids", re.ASCII)


class Served(msgspec.Struct):
    id: str
    root: str | None = None  # the id or folder that it was loaded from
    max_model_len: int | None = None

    def __post_init__(self) -> None:
        """Names are shown to people."""
        if not self.id.isprintable() or len(self.id) > MOST_NAME:
            raise ValueError("no name of a model")


class Models(msgspec.Struct):
    data: list[Served]


class Tokenized(msgspec.Struct):
    tokens: list[int]


class Logprobs(msgspec.Struct):
    tokens: list[str]  # "token_id:17"
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]


class Choice(msgspec.Struct):
    index: int = 0
    logprobs: Logprobs | None = None
    token_ids: list[int] | None = None


class Completion(msgspec.Struct):
    choices: list[Choice]


def _request(model: str, prompt: Any, max_tokens: int, xargs: Mapping[str, Any]) -> dict[str, Any]:
    """With the only sampling parameters that vLLM accepts for a diffusion model; the server's defaults may be
    others."""
    return {
        "model": model,
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "add_special_tokens": False,
        "return_token_ids": True,
        "vllm_xargs": dict(xargs),
    }


def fill(
    model: str, prompt: Sequence[int], canvas: Sequence[int], pinned: Sequence[int], steps: int
) -> dict[str, Any]:
    """A request to denoise one canvas for at most `steps` steps and return all of it. `pinned`: positions on
    the canvas."""
    xargs = {
        "diffusion_canvas_length": len(canvas),
        "diffusion_seed_canvas": list(canvas),
        "diffusion_pinned": list(pinned),
        "diffusion_max_steps": steps,
        "diffusion_read_only": 1,  # vllm_xargs takes no booleans
    }
    request = _request(model, list(prompt), len(canvas), xargs)
    return request | {"logprobs": TOP, "return_tokens_as_token_ids": True}


def probe(model: str, prompt: Sequence[int]) -> dict[str, Any]:
    """An invalid request. A vLLM with the diffusion fields refuses it before it reaches the model, and names
    the width of its canvas; one without them ignores the fields and answers."""
    return _request(model, list(prompt), 1, {"diffusion_seed_canvas": [0], "diffusion_max_steps": 0})


def served_canvas(said: str) -> int | None:
    """The canvas width in the refusal of a `probe`; None where the server was started without one."""
    found = _SERVED_CANVAS.search(said)
    return int(found[1]) if found else None


def shortened(completion: Completion, width: int) -> bool:
    """Whether the server had no room for all of a canvas, and denoised only the beginning of it."""
    return any(0 < len(choice.token_ids or ()) < width for choice in completion.choices)


def likeliest(completion: Completion, width: int, vocabulary: int) -> list[dict[int, float]] | None:
    """For each canvas position, token id -> log-probability of the likeliest tokens. Ids that the vocabulary
    does not have are left out. None where the answer is not a canvas of that width."""
    if len(completion.choices) != 1:
        return None
    choice = completion.choices[0]
    said, ids = choice.logprobs, choice.token_ids
    if (
        said is None
        or ids is None
        or not len(ids) == len(said.token_logprobs) == len(said.top_logprobs) == width
    ):
        return None
    found = []
    for token, logprob, top in zip(ids, said.token_logprobs, said.top_logprobs, strict=True):
        each = {int(m[1]): value for name, value in (top or {}).items() if (m := _TOKEN.fullmatch(name))}
        if logprob is not None:
            each.setdefault(token, logprob)
        known = {token: min(0.0, value) for token, value in each.items() if 0 <= token < vocabulary}
        if not known:
            return None
        found.append(known)
    return found
