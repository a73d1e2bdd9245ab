"""The Dream family's token choice, against a distribution that is worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from model_runtime.diffusion.sampler import QuickNoise, SeededNoise
from model_runtime.diffusion.token_choice import (
    TokenChoice,
    least_kept,
    margin,
    negative_entropy,
    probability,
)

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


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("top_p", [0.1, 0.9, 0.95])
def test_top_p_keeps_what_a_sort_would(spread: float, top_p: float) -> None:
    """Over flat and steep distributions. Where rounding decides, a token next to the last one may differ."""
    probabilities = (torch.randn(8, 5000, generator=torch.Generator().manual_seed(1)) * spread).softmax(-1)
    ranked = probabilities.double().sort(-1, descending=True).values
    before = ranked.cumsum(-1) - ranked
    kept = (probabilities >= least_kept(probabilities, top_p)).sum(-1)
    for slack, at_most in ((-1e-6, False), (1e-6, True)):
        count = (before <= top_p + slack).sum(-1)
        assert bool((kept <= count).all() if at_most else (kept >= count).all())


def test_of_tokens_that_are_as_likely_all_stay() -> None:
    equal = torch.tensor([[0.4, 0.2, 0.2, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]])
    kept = equal >= least_kept(equal, 0.5)
    assert kept.tolist() == [[True, True, True, True, False], [True, False, False, False, False]]


@pytest.mark.parametrize("noise", [NOISE, QuickNoise(4, 0, torch.device("cpu"))])
def test_a_draw_is_from_what_temperature_and_top_p_leave(noise: SeededNoise) -> None:
    choice = TokenChoice(probability, temperature=0.5, top_p=0.9)
    weights = [p * p for p in P[:2]]  # temperature 0.5 squares; the two likeliest hold 93 %
    drawn, confidence = choice.choose(LOGITS.expand(4000, -1), noise)
    assert set(drawn.tolist()) == {0, 1}
    assert (drawn == 0).float().mean().item() == pytest.approx(weights[0] / sum(weights), abs=0.03)
    assert {round(c, 4) for c in confidence.tolist()} == {round(w / sum(weights), 4) for w in weights}


@pytest.mark.parametrize("uniform", [0.0, 1.0])
def test_a_quick_draw_never_takes_what_cannot_be(uniform: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where rounding brings the random number to an end of its range."""
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.full(shape, uniform))
    chances = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]])
    drawn = QuickNoise(5, 0, torch.device("cpu")).sample(chances)
    assert drawn.tolist() == ([1, 2] if uniform == 0 else [3, 2])
