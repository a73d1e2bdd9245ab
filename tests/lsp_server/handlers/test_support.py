"""Spans as ranges and back, and edits that stay in their cell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from lsprotocol import types as lsp

from lsp_server.handlers.support import inside, range_of, span_of
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Snapshot, Span
from lsp_server.text.positions import Encoding

# A cell of two lines, as a snapshot shows it: between the cells above and below it.
ABOVE, CELL, BELOW = "import os\n\n", "s = '😀'\nx = ", "\n\ny = 2\n"
SNAPSHOT = Snapshot("cell:1", 1, "python", ABOVE + CELL + BELOW, first_line=-2)
START = len(ABOVE)


def session(encoding: str = "utf-16") -> Session:
    worker = cast(Any, SimpleNamespace())  # no request reaches it
    made = Session(lambda settings: worker)
    made.encoding = cast(Encoding, encoding)
    made.open("cell:1", 1, "python", CELL)
    return made


@pytest.mark.parametrize(
    ("encoding", "span", "start", "end"),
    [
        ("utf-16", Span(START, START + 3), (0, 0), (0, 3)),
        ("utf-8", Span(START + 5, START + 6), (0, 5), (0, 9)),
        ("utf-16", Span(START + 5, START + 6), (0, 5), (0, 7)),
        ("utf-32", Span(START + 5, START + 6), (0, 5), (0, 6)),
        ("utf-16", Span(START + 8, START + 12), (1, 0), (1, 4)),
        ("utf-16", Span(START + 14, START + 19), (3, 0), (3, 5)),  # the cell below
    ],
)
def test_ranges(encoding: str, span: Span, start: tuple[int, int], end: tuple[int, int]) -> None:
    it, at = session(encoding), range_of(SNAPSHOT, span, session(encoding))
    assert [(each.line, each.character) for each in (at.start, at.end)] == [start, end]
    assert span_of(SNAPSHOT, at, it) == span
    assert span_of(SNAPSHOT, lsp.Range(at.end, at.start), it) == span  # some clients send it so


def test_a_range_that_the_snapshot_does_not_hold() -> None:
    assert span_of(SNAPSHOT, lsp.Range(lsp.Position(0, 0), lsp.Position(99, 0)), session()) is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (START, START + 12, True),
        (START + 12, START + 12, True),
        (START + 12, START + len(CELL) + 2, False),  # ends in the cell below
        (START + 14, START + 15, False),
        (START - 1, START + 3, False),  # begins in the cell above
    ],
)
def test_edits_of_a_cell(start: int, end: int, expected: bool) -> None:
    edit = Edit("cell:1", 1, Span(start, end), "x", 1.0, 1, 1.0)
    assert inside(session(), SNAPSHOT, edit) is expected
