"""The Dream family's token choice, against a distribution that is worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from model_runtime.diffusion.sampler import SeededNoise
from model_runtime.diffusion.token_choice import TokenChoice, margin, negative_entropy, probability

NOISE = SeededNoise(4, 0, torch.device("cpu"))
P = [0.5, 0.3, 0.15, 0.05]
LOGITS = torch.tensor([P]).log()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (TokenChoice(probability), 0.5),
        (TokenChoice(margin), 0.2),
        (TokenChoice(negative_entropy), sum(p * math.log(p) for p in P)),
        # The first token above the threshold stays: 0.5 and 0.3 are left, and shared out anew.
        (TokenChoice(probability, top_p=0.6), 0.625),
        (TokenChoice(margin, top_p=0.6), 0.25),
        (TokenChoice(probability, top_p=0.4), 1.0),
        (TokenChoice(probability, top_k=3), 0.5 / 0.95),
    ],
)
def test_the_likeliest_and_how_sure(choice: TokenChoice, expected: float) -> None:
    ids, confidence = choice.choose(LOGITS, NOISE)
    assert ids.tolist() == [0]
    assert confidence.item() == pytest.approx(expected, abs=1e-6)


def test_a_draw_is_from_what_temperature_and_top_p_leave() -> None:
    choice = TokenChoice(probability, temperature=0.5, top_p=0.9)
    weights = [p * p for p in P[:2]]  # temperature 0.5 squares; the two likeliest hold 93 %
    drawn, confidence = choice.choose(LOGITS.expand(4000, -1), NOISE)
    assert set(drawn.tolist()) == {0, 1}
    assert (drawn == 0).float().mean().item() == pytest.approx(weights[0] / sum(weights), abs=0.03)
    assert {round(c, 4) for c in confidence.tolist()} == {round(w / sum(weights), 4) for w in weights}
