"""The confidence of a model without a calibration: its own probability of a text, and what follows it."""

from __future__ import annotations

import math

import pytest

from model_runtime.diffusion.interface import BranchScore
from model_runtime.retrieval import own_probability
from model_runtime.retrieval.reranker import Candidate
from model_runtime.retrieval.scaling import UNSCALED, Scale


def test_one_text_has_its_probability() -> None:
    assert own_probability.shares([BranchScore([-0.5, -0.2], [-0.1, -3.0])]) == pytest.approx(
        [math.exp(-0.8)]
    )
    assert own_probability.shares([BranchScore([-0.5], [])]) == pytest.approx([math.exp(-0.5)])
    assert own_probability.shares([]) == []


def test_what_follows_shares_out_what_all_have_together() -> None:
    """Alone the first is likelier, but what follows the hole fits the second."""
    first, second = BranchScore([-1.0], [-0.1, -4.0]), BranchScore([-1.5], [-0.1, -0.5])
    found = own_probability.shares([first, second])
    assert sum(found) == pytest.approx(math.exp(-1.1) + math.exp(-1.6))
    assert found[1] / found[0] == pytest.approx(math.exp(3.0))


def test_what_is_not_known_is_unlikely() -> None:
    assert own_probability.shares([BranchScore([-0.5], []), BranchScore([], [])]) == pytest.approx(
        [math.exp(-0.5), 0.0]
    )
    assert own_probability.shares([BranchScore([], [])] * 2) == [0.0, 0.0]


def test_there_is_never_more_than_certainty() -> None:
    found = own_probability.shares([BranchScore([-0.01], []), BranchScore([-0.02], [])])
    assert sum(found) == pytest.approx(1.0)


def test_the_surest_comes_first_and_is_scaled() -> None:
    found = [Candidate("a", [1], sources={"denoiser"}), Candidate("b", [2], sources={"draft"})]
    scores = [BranchScore([-3.0], []), BranchScore([-0.5], [])]
    plain = own_probability.rank(found, scores, UNSCALED)
    assert [(each.text, each.sources) for each in plain] == [("b", {"draft"}), ("a", {"denoiser"})]
    assert plain[0].confidence == pytest.approx(math.exp(-0.5))
    scale = Scale(1.0, -2.0)
    assert own_probability.rank(found, scores, scale)[0].confidence == pytest.approx(
        scale.chance(math.exp(-0.5))
    )
