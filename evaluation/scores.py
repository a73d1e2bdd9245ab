"""From answers to outcomes, and from many outcomes to shares with intervals. No model, no clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from evaluation.answers import Answer
from evaluation.places import Place
from model_runtime.training.held_out import parsed, scaffold

Z = 1.96  # 95%


@dataclass(frozen=True, slots=True)
class Outcome:
    contender: str
    kind: str
    answer: Answer
    exact: bool  # the missing text to the letter, but for blanks at line ends
    similarity: float  # of the texts, difflib's ratio, in [0, 1]
    parses: bool | None  # the document with the answer; None: no answer, or the true text does not either
    passed: bool | None  # the tests; None: there are none
    found: bool = False  # the missing text is offered, or among the candidates


def judge(place: Place, contender: str, answer: Answer, passes: Callable[[str], bool]) -> Outcome:
    """`passes` runs a program; it is called for places that have a test and an answer."""
    assert place.middle is not None
    offered = not answer.reason
    truth = place.before + place.middle + place.after
    passed = None
    if place.test:
        passed = offered and passes(f"{answer.whole}\n{place.test}")
    exact = offered and _bare(answer.whole) == _bare(truth)
    return Outcome(
        contender,
        place.kind,
        answer,
        exact,
        SequenceMatcher(None, answer.text.strip(), place.middle.strip(), autojunk=False).ratio(),
        _parses(answer.whole) if offered and place.language == "python" and _parses(truth) else None,
        passed,
        exact or any(_bare(text) == _bare(place.middle) for text in answer.candidates),
    )


def share(hits: int, of: int) -> dict[str, Any]:
    """A share with Wilson's 95% interval; all None where `of` is 0."""
    if not of:
        return {"share": None, "low": None, "high": None, "of": 0}
    p, z2 = hits / of, Z * Z / of
    centre, spread = p + z2 / 2, Z * math.sqrt(p * (1 - p) / of + z2 / of / 4)
    low, high = ((centre + sign * spread) / (1 + z2) for sign in (-1, 1))
    return {
        "share": round(p, 4), "low": round(max(0.0, low), 4), "high": round(min(1.0, high), 4), "of": of
    }  # fmt: skip


def summary(outcomes: Sequence[Outcome], threshold: float) -> dict[str, Any]:
    """One row: one contender on one kind of hole."""
    shown = [
        o for o in outcomes if o.answer.allowed and not o.answer.reason and o.answer.confidence >= threshold
    ]
    allowed = [o.answer for o in outcomes if o.answer.allowed]
    tested = [o for o in outcomes if o.passed is not None]
    times = sorted(answer.ms for answer in allowed)
    return {
        "contender": outcomes[0].contender,
        "kind": outcomes[0].kind,
        "n": len(outcomes),
        "exact": _share([o.exact for o in outcomes]),
        "found": _share([o.found for o in outcomes]),
        "passed": _share([o.passed for o in tested]),
        "similarity": round(statistics.fmean(o.similarity for o in outcomes), 4),
        "parses": _share([o.parses for o in outcomes]),
        "shown": share(len(shown), len(outcomes)),
        "exact_shown": _share([o.exact for o in shown]),
        "passed_shown": _share([o.passed for o in shown]),
        "parses_shown": _share([o.parses for o in shown]),
        "refused_by_rules": _share([not o.answer.allowed for o in outcomes]),
        "steps": round(statistics.fmean(answer.steps for answer in allowed), 2) if allowed else None,
        "p50_ms": round(statistics.median(times), 1) if times else None,
        "p90_ms": round(times[min(len(times) - 1, math.ceil(0.9 * len(times)) - 1)], 1) if times else None,
    }


def quiet(kind: str, wanted: bool, answers: Sequence[Answer], threshold: float) -> dict[str, Any]:
    """One row: how often nothing was offered, at one category of places without an expected text."""
    return {
        "category": kind,
        "wanted": wanted,
        "n": len(answers),
        "silent": _share([bool(a.reason) or a.confidence < threshold for a in answers]),
        "silent_without_threshold": _share([bool(a.reason) for a in answers]),
        "silent_by_rules": _share([not a.allowed for a in answers]),
    }


def _share(found: Sequence[bool | None]) -> dict[str, Any]:
    known = [one for one in found if one is not None]
    return share(sum(known), len(known))


def _bare(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _parses(text: str) -> bool:
    return parsed(scaffold(text) + text) is not None
