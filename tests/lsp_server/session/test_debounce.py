from __future__ import annotations

import pytest

from lsp_server.session.debounce import MOST_MS, Debounce


def waits(worker_ms: float, gaps: list[float]) -> list[float]:
    """How long each of a row of requests waits, `gaps` after the one before it."""
    debounce, now, found = Debounce().answered(worker_ms), 0.0, []
    for gap in gaps:
        now += gap
        debounce, wait = debounce.requested(now)
        found.append(wait)
    return found


@pytest.mark.parametrize(
    ("worker_ms", "gaps", "expected"),
    [
        (80, [1000, 120, 120], [0, 0, 0]),  # slower than the worker: nothing to save
        (80, [1000, 40, 40], [0, 40, 40]),
        (600, [1000, 120, 120], [0, 300, 300]),
        (600, [1000, 120, 900], [0, 300, 0]),  # a pause
        (5000, [9000, 10], [0, MOST_MS]),
    ],
)
def test_the_wait_follows_the_worker(worker_ms: float, gaps: list[float], expected: list[float]) -> None:
    assert waits(worker_ms, gaps) == expected


def test_nothing_waits_before_the_worker_is_known() -> None:
    debounce, first = Debounce().requested(0)
    assert (first, debounce.requested(1)[1]) == (0, 0)


def test_the_usual_time_follows_slowly() -> None:
    debounce = Debounce().answered(100).answered(1100)  # one slow answer is no habit
    assert 100 < debounce.usual_ms < 600
    for _ in range(30):
        debounce = debounce.answered(1100)
    assert debounce.usual_ms == pytest.approx(1100, rel=0.01)
