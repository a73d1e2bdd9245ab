"""How a place is asked about: at the cursor, on request, or as a hole that the user names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluation import scores
from evaluation.places import Place
from tests.evaluation.examples import judged, place


def test_holes_that_the_user_names_may_have_lines(tmp_path: Path) -> None:
    one = place(
        tmp_path, task_id="RandomSpanInfillingLight/HumanEval/0/1", canonical_solution="a\n    total += b"
    )
    assert one.kind == "HumanEval random-span"
    outcome = judged(one, "a\n    total += b")
    assert (outcome.exact, outcome.parses, outcome.passed) == (True, True, True)
    assert judged(replace(one, kind="end-of-line"), "a\n    total += b").exact is False


def test_what_is_only_given_on_request_is_judged_but_not_shown() -> None:
    one = Place("end-of-line", "x", "def f():\n    a = 'some w", "'\n    return a\n", "ords")
    outcome = judged(one, "ords")
    assert (outcome.exact, outcome.answer.allowed, outcome.answer.reason) == (True, False, "")
    row = scores.summary([outcome], threshold=0.0)
    assert (row["exact"]["share"], row["shown"]["share"], row["refused_by_rules"]["share"]) == (1, 0, 1)
