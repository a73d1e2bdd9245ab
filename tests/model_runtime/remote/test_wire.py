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
        (
            [canvas([-1, 9], [-0.5, 2.0], [{"token_id:10": -0.5, "token_id:7": -1.5}, TOP[1]])],
            [{7: -1.5}, {9: -0.1}],
        ),
        ([canvas([10, 9], [-0.5, -0.1], [{"token_id:" + "9" * 5_000: -0.5}, TOP[1]])], None),
        ([canvas([7, 9], [-0.5, -0.1], [{"token_id:7": 1e308}, TOP[1]])], [{7: 0.0}, {9: -0.1}]),
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
        "no tokens of the vocabulary",
        "none of the vocabulary",
        "more than certain",
    ],
)
def test_likeliest(choices: list[dict[str, Any]], expected: list[dict[int, float]] | None) -> None:
    assert wire.likeliest(completion(*choices), 2, vocabulary=10) == expected


@pytest.mark.parametrize(("ids", "expected"), [([7], True), ([7, 9], False), ([], False), (None, False)])
def test_shortened(ids: list[int] | None, expected: bool) -> None:
    """Whether a canvas of two positions was cut by the server."""
    assert wire.shortened(completion({"token_ids": ids}), 2) == expected


@pytest.mark.parametrize(
    ("said", "width"),
    [
        ("diffusion_seed_canvas must hold exactly 256 ids, got 1. (parameter=extra_args)", 256),
        ("diffusion_max_steps must be a positive integer.", None),
        (f"diffusion_seed_canvas must hold exactly {'9' * 5_000} ids", None),
        ("", None),
    ],
)
def test_served_canvas(said: str, width: int | None) -> None:
    assert wire.served_canvas(said) == width
