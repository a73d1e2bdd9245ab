"""How answers are judged and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import scores
from evaluation.answers import Answer
from evaluation.places import Place
from tests.evaluation.examples import judged, place


@pytest.mark.parametrize(
    ("text", "exact", "parses", "passed"),
    [
        ("a + b", True, True, True),
        ("a + b  ", True, True, True),
        ("b + a", False, True, True),
        ("a - b", False, True, False),
        ("exit()", False, True, False),
        ("(a +", False, None, False),  # the server does not offer it
        ("", False, None, False),
        (None, False, None, False),
    ],
)
def test_judged(text: str | None, exact: bool, parses: bool, passed: bool, tmp_path: Path) -> None:
    outcome = judged(place(tmp_path), text)
    assert (outcome.exact, outcome.parses, outcome.passed) == (exact, parses, passed)
    assert outcome.answer.allowed
    assert (outcome.similarity == 1) is exact


def test_indented_context_parses() -> None:
    one = Place("end-of-line", "x", "        if a:\n            b = ", "\n    def f(self): pass\n", "c(1)")
    assert judged(one, "c(2)").parses is True
    unfinished = replace(one, before="        if a\n            b = ")
    assert judged(unfinished, "c(2)").parses is None  # the truth does not parse either


def test_shares() -> None:
    assert scores.share(0, 0)["share"] is None
    found = scores.share(27, 100)  # Wilson's interval, as in the literature's tables
    assert (found["low"], found["high"]) == (pytest.approx(0.193, abs=1e-3), pytest.approx(0.364, abs=1e-3))
    assert scores.share(0, 10)["low"] == 0
    assert scores.share(10, 10)["high"] == 1


def answer(confidence: float, ms: float, allowed: bool = True, reason: str = "") -> Answer:
    return Answer("t", "t", confidence, 2, ms, allowed, reason)


def test_a_row() -> None:
    outcomes = [
        scores.Outcome("c", "k", answer(0.9, 10), True, 1.0, True, None),
        scores.Outcome("c", "k", answer(0.5, 20), False, 0.5, False, None),
        scores.Outcome("c", "k", answer(0.1, 30), True, 1.0, None, None),
        scores.Outcome("c", "k", answer(0.0, 0, allowed=False, reason="finished"), False, 0.0, None, None),
    ]
    row = scores.summary(outcomes, threshold=0.4)
    expected = {"exact": 0.5, "shown": 0.5, "exact_shown": 0.5, "parses": 0.5, "refused_by_rules": 0.25}
    assert {name: row[name]["share"] for name in expected} == expected
    assert row["passed"]["share"] is None
    assert (row["similarity"], row["steps"], row["p50_ms"], row["p90_ms"], row["n"]) == (0.625, 2, 20, 30, 4)
    quiet = scores.quiet("k", False, [o.answer for o in outcomes], threshold=0.4)
    assert [quiet[name]["share"] for name in ("silent", "silent_without_threshold", "silent_by_rules")] == [
        0.5,
        0.25,
        0.25,
    ]


def test_the_missing_text_may_be_among_the_candidates() -> None:
    one = Place("end-of-line", "x", "a = ", "\n", "b(1)")
    for text, candidates, exact, found in (
        ("b(1)", (), True, True),
        ("b(2)", ("b(2)", "b(1) "), False, True),
        ("b(2)", ("b(2)", "b(3)"), False, False),
    ):
        offered = Answer(text, f"a = {text}\n", 0.5, 1, 1, True, "", candidates)
        outcome = scores.judge(one, "c", offered, lambda program: True)
        assert (outcome.exact, outcome.found) == (exact, found)
    assert scores.summary([outcome], 0.5)["found"]["share"] == 0
