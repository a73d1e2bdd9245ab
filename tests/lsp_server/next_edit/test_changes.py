"""Which line became which, and which words of it."""

from __future__ import annotations

import pytest

from lsp_server.next_edit.changes import line_changes
from lsp_server.next_edit.history import OVERTAKEN, Edited


def edited(before: str, after: str, line: int = 3) -> Edited:
    old, new = (tuple(text.split("\n")) if text else () for text in (before, after))
    return Edited("file:///a.py", line, old, new, 0.0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("f(a)", "g(a)", [(3, "f(a)", "g(a)")]),
        ("a\nb\nc", "A\nb\nC", [(3, "a", "A"), (5, "c", "C")]),
        ("", "new", []),
        ("old", "", []),
        ("x = f(1)", "first()\nx = f(2)\nlast()", [(4, "x = f(1)", "x = f(2)")]),
        ("x = f(1)\nnothing like it", "x = f(2)", [(3, "x = f(1)", "x = f(2)")]),
    ],
)
def test_lines(before: str, after: str, expected: list[tuple[int, str, str]]) -> None:
    assert [(each.line, each.old, each.new) for each in line_changes(edited(before, after))] == expected


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        ("f(a, b)", "g(a, b)", (("f", "g", 0),)),
        ("f(a)", "f(a, b)", (("", ", b", 3),)),
        ("f(a, b)", "f(b)", (("a, ", "", 2),)),
        ("a.f(b)", "x.f(y)", (("a", "x", 0), ("b", "y", 4))),
        ("new Old x", "a Fresh x", (("new Old", "a Fresh", 0),)),  # one blank between is no distance
        ("count", "counts", (("count", "counts", 0),)),  # words are whole
    ],
)
def test_words(old: str, new: str, pieces: tuple[tuple[str, str, int], ...]) -> None:
    (change,) = line_changes(edited(old, new))
    assert change.pieces == pieces


def test_a_line_that_was_changed_again_has_no_place() -> None:
    (change,) = line_changes(edited("a", "b", OVERTAKEN))
    assert change.line < 0
