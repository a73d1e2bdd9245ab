"""An argument that was added in one of several like blocks."""

from __future__ import annotations

import pytest

from lsp_server.next_edit.additions import places
from tests.support.typist import Typing

BLOCKS = """\
a = make(
    name="a",
    size=1,
)
b = make(
    name="b",
    size=1,
)


def f():
    return make(
        name="c",
        size=1,
    )
"""
ADDED = "    color=None,\n"


def missing(it: Typing) -> list[tuple[int, str]]:
    """Line and text of each place."""
    snapshot = it.document.snapshot(0)
    found = places(snapshot, it.history.recent())
    return [(snapshot.text.count("\n", 0, span.start), text) for span, text in found]


def test_they_are_due_where_the_lines_around_are_the_same() -> None:
    it = Typing(BLOCKS)
    it.change((3, 0), (3, 0), ADDED)
    assert missing(it) == [(8, ADDED), (15, "    " + ADDED)]
    it.change((8, 0), (8, 0), ADDED, after=60)
    assert missing(it) == [(16, "    " + ADDED)]


def test_they_are_offered_nearest_first() -> None:
    it = Typing(BLOCKS)
    it.change((3, 0), (3, 0), ADDED)
    assert it.next_edits(4) == [(8, 0, ADDED), (15, 0, "    " + ADDED)]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (2, "    color=None,\n"),  # the line above is another in each
        (3, "\n"),
        (3, "    # none\n"),  # no argument
        (3, "    a=1,\n    b=1,\n"),  # too much
    ],
)
def test_not_where_they_differ_or_something_else_is_added(line: int, text: str) -> None:
    it = Typing(BLOCKS)
    for number, each in enumerate(text.splitlines(keepends=True)):
        it.change((line + number, 0), (line + number, 0), each)
    assert missing(it) == []


def test_lines_that_stand_everywhere_are_no_place() -> None:
    it = Typing("x,\ny,\n" * 40)
    it.change((1, 0), (1, 0), "z,\n")
    assert missing(it) == []
