"""Which candidate is best and how sure that is; and that the weights behind it can be learnt."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.retrieval.reranker import Calibration
from model_runtime.training.calibrate import Choice, fitted

features = st.dictionaries(st.sampled_from("abc"), st.floats(-1e4, 1e4), max_size=3)


@given(st.lists(features, max_size=6))
def test_shares_are_chances_of_which_one_is_left_for_none(candidates: list[dict[str, float]]) -> None:
    shares = Calibration({"a": 1.0, "b": -2.0}).shares(candidates)
    assert len(shares) == len(candidates)
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], []),
        ([0.0], [1 / 2]),
        ([0.0, 0.0], [1 / 3, 1 / 3]),
        ([1e4], [1.0]),
        ([-1e4], [0.0]),
        ([1.0, 1.0 - math.log(3)], [math.e / (1 + math.e * 4 / 3), math.e / (3 + math.e * 4)]),
    ],
)
def test_rivals_take_from_each_other(scores: list[float], expected: list[float]) -> None:
    assert Calibration({"z": 1.0}).shares([{"z": z} for z in scores]) == pytest.approx(expected)


def test_the_weights_are_learnt() -> None:
    """`good` says which candidate is right, `noise` nothing; in half of the holes none is."""
    draw = random.Random(0)
    choices = []
    for _ in range(300):
        right = draw.randrange(3) if draw.random() < 0.5 else None
        rows = [{"bias": 1.0, "good": float(i == right), "noise": draw.random()} for i in range(3)]
        choices.append(Choice(rows, [i == right for i in range(3)]))
    learnt = fitted(choices)
    assert learnt.weights["good"] > 5
    assert abs(learnt.weights["noise"]) < 1
    sure, *others = learnt.shares(
        [{"bias": 1.0, "good": 1.0, "noise": 0.5}, *[{"bias": 1.0, "good": 0.0, "noise": 0.5}] * 2]
    )
    assert sure > 0.9
    assert max(others) < 0.05
