"""The order in which the missing text comes last."""

from __future__ import annotations

from model_runtime.prompting.fim import MiddleLast


def test_what_follows_is_shown_as_far_as_it_was_in_training() -> None:
    order = MiddleLast(suffix=5, middle=7, end=1, most=3)
    assert order.question([2, 10, 11], [20, 21]) == [2, 10, 11, 5, 20, 21, 7]
    assert order.question([], [20, 21, 22, 23]) == [5, 20, 21, 22, 7]
