"""The floor under how good the suggestions are."""

from __future__ import annotations

import pytest

from benchmarks import floor
from benchmarks.floor import Result

RIGHT, WRONG, SILENT = Result(True, True), Result(False, True), Result(False, False)


def named(*groups: tuple[int, Result]) -> dict[str, Result]:
    found = [one for count, one in groups for _ in range(count)]
    return {str(number): one for number, one in enumerate(found)}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (((20, RIGHT), (10, WRONG), (70, SILENT)), []),  # the same
        (((17, RIGHT), (3, SILENT), (10, WRONG), (70, SILENT)), []),  # three lost may be chance
        (((15, RIGHT), (5, SILENT), (10, WRONG), (70, SILENT)), ["exact match", "precision"]),
        (((15, RIGHT), (5, SILENT), (8, WRONG), (72, SILENT)), ["exact match"]),
        (((20, RIGHT), (10, WRONG), (30, WRONG), (40, SILENT)), ["precision"]),
        (((20, Result(True, False)), (10, SILENT), (70, SILENT)), []),  # silence is not imprecise
        (((15, RIGHT), (5, WRONG), (40, WRONG), (40, SILENT)), ["exact match", "precision"]),
        (((15, RIGHT), (5, SILENT), (10, RIGHT), (70, SILENT)), []),  # other holes were won
    ],
)
def test_only_more_than_noise_counts(now: tuple[tuple[int, Result], ...], said: list[str]) -> None:
    before = named((20, RIGHT), (10, WRONG), (70, SILENT))
    found = floor.compared(before, named(*now))
    assert [line.partition(" fell")[0] for line in found] == said


@pytest.mark.slow
@pytest.mark.timeout(600)  # a busy machine's; no answer depends on the time
def test_suggestions_are_as_good_as_the_baseline() -> None:
    """After a change for the better, `python -m benchmarks.floor measure` makes the baseline again."""
    before, now = floor.read(), floor.results()
    assert before.keys() == now.keys()
    assert floor.compared(before, now) == []
