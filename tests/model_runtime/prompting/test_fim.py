"""The order in which the missing text comes last."""

from __future__ import annotations

from model_runtime.prompting.fim import MiddleLast


def test_the_missing_text_goes_on_from_the_end_of_the_prompt() -> None:
    order = MiddleLast(suffix=5, middle=7, end=1, most=3, near=2)
    assert order.question([2, 10, 11, 12], [13], [20]) == ([2, 10], [5, 20, 7, 11, 12, 13])
    assert order.question([2, 10], [], [20]) == ([2], [5, 20, 7, 10])


def test_what_follows_is_shown_as_far_as_it_was_in_training() -> None:
    order = MiddleLast(suffix=5, middle=7, end=1, most=3, near=2)
    assert order.question([2], [13], [20, 21, 22, 23]) == ([2], [5, 20, 21, 22, 7, 13])
