"""Answers of vLLM, complete or not. The requests are checked against vLLM's rules in test_vllm.py."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from model_runtime.remote import wire

TOP = [{"token_id:7": -0.5, "token_id:8": -1.5}, {"token_id:9": -0.1}]


def completion(*choices: dict[str, Any]) -> wire.Completion:
    return msgspec.convert({"choices": list(choices)}, wire.Completion)


def canvas(
    ids: list[int], logprobs: list[float | None], top: list[dict[str, float] | None]
) -> dict[str, Any]:
    said = {"tokens": ["?"] * len(ids), "token_logprobs": logprobs, "top_logprobs": top}
    return {"token_ids": ids, "logprobs": said}


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([canvas([7, 9], [-0.5, -0.1], TOP)], [{7: -0.5, 8: -1.5}, {9: -0.1}]),
        ([canvas([5, 9], [-2.0, -0.1], TOP)], [{7: -0.5, 8: -1.5, 5: -2.0}, {9: -0.1}]),
        ([canvas([7, 9], [-0.5, -0.1], [None, {"nine": -0.1}])], [{7: -0.5}, {9: -0.1}]),
        ([canvas([7, 9], [-0.5, None], [TOP[0], None])], None),
        ([canvas([7], [-0.5], TOP[:1])], None),
        ([canvas([7, 9], [-0.5], TOP)], None),
        ([{"token_ids": [7, 9]}], None),
        ([canvas([7, 9], [-0.5, -0.1], TOP)] * 2, None),
        ([], None),
    ],
    ids=[
        "complete",
        "the sampled token is added",
        "without the others",
        "a position without any",
        "too narrow",
        "lengths differ",
        "no log-probabilities",
        "two canvases",
        "none",
    ],
)
def test_likeliest(choices: list[dict[str, Any]], expected: list[dict[int, float]] | None) -> None:
    assert wire.likeliest(completion(*choices), 2) == expected


def scored(index: int, *logprobs: dict[str, float] | None) -> dict[str, Any]:
    said = [at and {token: {"logprob": value} for token, value in at.items()} for at in logprobs]
    return {"index": index, "prompt_logprobs": said}


FIRST = scored(0, None, {"2": -0.2, "9": -0.01}, {"3": -0.3})
SECOND = scored(1, None, {"5": -0.5})


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([FIRST, SECOND], [[-0.2, -0.3], [-0.5]]),
        ([SECOND, FIRST], [[-0.2, -0.3], [-0.5]]),
        ([FIRST], None),
        ([FIRST, scored(1, None)], None),
        ([FIRST, scored(1, None, {"6": -0.6})], None),
        ([FIRST, scored(1, None, None)], None),
        ([FIRST, {"index": 1}], None),
    ],
    ids=["complete", "in another order", "one is missing", "too short", "other tokens", "a gap", "not given"],
)
def test_scores(choices: list[dict[str, Any]], expected: list[list[float]] | None) -> None:
    assert wire.scores(completion(*choices), [[1, 2, 3], [4, 5]]) == expected


@pytest.mark.parametrize(
    ("said", "width"),
    [
        ("diffusion_seed_canvas must hold exactly 256 ids, got 1. (parameter=extra_args)", 256),
        ("diffusion_max_steps must be a positive integer.", None),
        ("", None),
    ],
)
def test_served_canvas(said: str, width: int | None) -> None:
    assert wire.served_canvas(said) == width
