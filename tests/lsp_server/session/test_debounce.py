from __future__ import annotations

import pytest

from lsp_server.session.debounce import MOST_MS, Pace


def waits(worker_ms: float, gaps: list[float]) -> list[float]:
    """How long each of a row of requests waits, `gaps` after the one before it."""
    pace, now, found = Pace().answered(worker_ms), 0.0, []
    for gap in gaps:
        now += gap
        pace, wait = pace.asked(now)
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
    pace, first = Pace().asked(0)
    assert (first, pace.asked(1)[1]) == (0, 0)


def test_the_usual_time_follows_slowly() -> None:
    pace = Pace().answered(100).answered(1100)  # one slow answer is no habit
    assert 100 < pace.usual_ms < 600
    for _ in range(30):
        pace = pace.answered(1100)
    assert pace.usual_ms == pytest.approx(1100, rel=0.01)
