"""Which candidate is best and how sure that is; and that the weights behind it can be learnt."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.retrieval import reranker
from model_runtime.retrieval.reranker import Calibration, Unit
from model_runtime.training.calibrate import Choice, fitted, save

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


def test_a_hidden_unit_bends() -> None:
    bent = Calibration({"a": 1.0, "b": 0.5}, (Unit((2.0, -1.0), 3.0), Unit((0.0, 1.0), -1.0)))
    assert bent.score({"a": 1.0}) == pytest.approx(1.0 + 3.0 * math.tanh(2.0))
    assert bent.score({"b": 1.0, "unknown": 9.0}) == pytest.approx(
        0.5 - 3.0 * math.tanh(1.0) - math.tanh(1.0)
    )
    assert bent.shares([{}]) == [0.5]


def test_a_calibration_that_does_not_fit_together_is_none(tmp_path: Path) -> None:
    unit = {"weights": [1.0], "height": 1.0}
    for weights, loaded in (({"a": 1.0}, True), ({"a": 1.0, "b": 1.0}, False)):
        (tmp_path / reranker.FILE).write_text(json.dumps({"weights": weights, "units": [unit]}))
        assert (reranker.load(tmp_path) is not reranker.UNCALIBRATED) == loaded


def learnable(holes: int) -> list[Choice]:
    """`good` says which candidate is right, unless it is also `odd`; `noise` says nothing; in half of the
    holes none is right."""
    draw = random.Random(0)
    choices = []
    for _ in range(holes):
        right = draw.randrange(3) if draw.random() < 0.5 else None
        odd = [draw.random() < 0.5 for _ in range(3)]
        rows = [
            {"bias": 1.0, "good": float((i == right) != odd[i]), "odd": float(odd[i]), "noise": draw.random()}
            for i in range(3)
        ]
        choices.append(Choice(rows, [i == right for i in range(3)]))
    return choices


def test_the_weights_are_learnt() -> None:
    """Which is right is told by two features together, and by neither alone."""
    learnt = fitted(learnable(1000))
    for odd in (0.0, 1.0):
        row = {"bias": 1.0, "odd": odd, "noise": 0.5}
        sure, *others = learnt.shares([row | {"good": 1.0 - odd}, *[row | {"good": odd}] * 2])
        assert sure > 0.9
        assert max(others) < 0.05
    told = [learnt.score({"bias": 1.0, "good": 1.0, "odd": 0.0, "noise": noise}) for noise in (0.1, 0.9)]
    assert told[1] == pytest.approx(told[0], abs=1)


def test_the_same_holes_give_the_same_weights(tmp_path: Path) -> None:
    first, second = (fitted(learnable(30)) for _ in range(2))
    assert first == second
    save(first, tmp_path)
    assert reranker.load(tmp_path) == first


def test_what_is_always_the_same_counts_nothing() -> None:
    choices = [Choice([{**row, "constant": 7.0} for row in each.rows], each.right) for each in learnable(30)]
    learnt = fitted(choices)
    assert learnt.score({"bias": 1.0, "constant": 7.0}) == learnt.score({"bias": 1.0})
