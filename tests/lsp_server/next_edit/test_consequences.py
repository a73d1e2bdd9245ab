"""Which of the problems in a document the newest edit has brought about."""

from __future__ import annotations

import pytest

from lsp_server.actions.actions import Diagnostic
from lsp_server.next_edit.consequences import caused
from lsp_server.text.document import Span
from tests.support.typist import Typing

TEXT = "def load(path):\n    return path\n\n\nload(1)\nsave(2)\nstore = load\n"


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([(4, "missing argument 'mode'")], 4),  # it names what was added
        ([(5, "no name load")], None),  # the edit has not touched that
        ([(6, "missing mode"), (4, "missing mode")], 4),  # the nearer one
        ([(0, "unexpected mode")], None),  # where the edit was made
        ([(5, "a is not it")], None),
        ([], None),
    ],
)
def test_caused(problems: list[tuple[int, str]], expected: int | None) -> None:
    it = Typing(TEXT)
    it.retype(0, 9, "path", "path, mode")
    snapshot = it.document.snapshot(0)
    starts = [len("".join(snapshot.text.splitlines(keepends=True)[:line])) for line, _ in problems]
    known = [Diagnostic(Span(at, at), message) for at, (_, message) in zip(starts, problems, strict=True)]
    found = caused(snapshot, 0, it.history.recent()[-1], known)
    assert (found and snapshot.text.count("\n", 0, found.span.start)) == expected


def test_a_line_that_holds_what_was_taken_away() -> None:
    it = Typing("old = 1\n\n\nprint(old)\nprint(older)\n")
    it.retype(0, 0, "old", "fresh")
    snapshot = it.document.snapshot(0)
    known = [Diagnostic(Span(at, at), "undefined") for at in (len("old = 1\n\n\n") + 2, 25)]
    assert caused(snapshot, 0, it.history.recent()[-1], known) == known[0]
    assert caused(snapshot, 0, it.history.recent()[-1], known[1:]) is None
