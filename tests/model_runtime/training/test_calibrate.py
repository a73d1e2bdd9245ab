"""The lowest threshold that keeps a precision. Fitting is tested with the re-ranker."""

from __future__ import annotations

import pytest

from model_runtime.training.calibrate import Outcome, threshold


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], 1.0),
        ([(0.9, False)], 1.0),
        ([(0.9, True)], 0.9),
        ([(0.2, True), (0.9, True), (0.5, False)], 0.2),
        ([(0.9, True), (0.5, False), (0.3, False)], 0.5),
        ([(0.9, False), (0.5, True), (0.3, False)], 0.5),
    ],
)
def test_threshold(outcomes: list[tuple[float, bool]], expected: float) -> None:
    assert threshold([Outcome(*each) for each in outcomes], precision=0.5) == expected
