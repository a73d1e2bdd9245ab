"""The percentiles of recent fills."""

from __future__ import annotations

import pytest

from model_runtime.daemon.metrics import RECENT, Metrics, Times, percentiles
from model_runtime.protocol import Percentiles


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], (7.0, 7.0, 7.0)),
        ([0.0, 10.0], (5.0, 9.0, 9.9)),
        ([float(value) for value in range(101)], (50.0, 90.0, 99.0)),
        ([3.0, 1.0, 2.0], (2.0, 2.8, 2.98)),
    ],
)
def test_percentiles(values: list[float], expected: tuple[float, float, float]) -> None:
    assert percentiles(values) == Percentiles(*expected)


def test_only_recent_fills_count() -> None:
    metrics = Metrics()
    assert metrics.percentiles() == {}
    for total in [1000.0] * 50 + [1.0] * RECENT:
        metrics.add(Times(total, queue=0.0, prefill=0.0, denoise=total / 2, step=0.0, post=0.0))
    assert metrics.served == 50 + RECENT
    assert metrics.percentiles()["total"].p99 == 1.0
    assert metrics.percentiles()["denoise"].p50 == 0.5
