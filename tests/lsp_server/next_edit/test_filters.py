"""What is never suggested, whoever proposes it."""

from __future__ import annotations

import pytest

from lsp_server.next_edit.filters import MOST_LINES, SURE, objection
from lsp_server.text.document import Edit, Span
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import parse
from tests.support.typist import URI, Typing

TEXT = "a = f(1)\nb = f(2)\nc = [g(3)]\n"


def check(it: Typing, old: str, new: str, *, cursor: int = 0, confidence: float = 1.0) -> str:
    """The reason against replacing some words; empty if there is none."""
    snapshot, language = it.document.snapshot(0), by_id("python")
    assert language
    start = snapshot.text.index(old)
    edit = Edit(URI, 1, Span(start, start + len(old)), new, confidence, 0, 0.0, ("repeat",))
    refusal = objection(snapshot, edit, cursor, it.history, parse(snapshot.text, language))
    return refusal.reason if refusal else ""


@pytest.mark.parametrize(
    ("old", "new", "cursor", "confidence", "reason"),
    [
        ("f(2)", "h(2)", 0, 1.0, ""),
        ("f(2)", "f( 2)", 0, 1.0, "same"),
        ("f(2)", "f()", 0, 1.0, "deletes"),
        ("b = f(2)\n", "", 0, 1.0, "deletes"),
        ("f(2)", "h(2)", 14, 1.0, "cursor"),  # in the line, behind it
        ("f(2)", "h(2)", 13, 1.0, ""),  # right before it
        ("f(2)", "h(2", 0, 1.0, "parse"),
        ("f(2)", "h(2)", 0, SURE - 0.01, "confidence"),
        ("f(2)", "h(2)" + "\nx()" * MOST_LINES, 0, 1.0, "long"),
    ],
)
def test_of_its_own(old: str, new: str, cursor: int, confidence: float, reason: str) -> None:
    assert check(Typing(TEXT), old, new, cursor=cursor, confidence=confidence) == reason


def test_a_place_that_parses_badly_already_may_stay_so() -> None:
    it = Typing("a = (\nb = f(2)\n")
    assert check(it, "f(2)", "h(2)") == ""


def test_nothing_undoes_what_was_typed() -> None:
    it = Typing(TEXT)
    it.retype(1, 4, "f", "fetch")
    assert check(it, "fetch(2)", "f(2)") == "undoes"
    assert check(it, "fetch(2)", "fetch(3)") == ""
    it.retype(2, 5, "g", "[]")
    assert check(it, "[](3)", "[g(3)]") == ""  # not nearer to what it was


def test_what_was_dismissed_stays_away_while_the_line_reads_so() -> None:
    it = Typing(TEXT)
    it.history.reject(URI, ("b = f(2)",), ("b = h(2)",))
    assert check(it, "f(2)", "h(2)") == "rejected"
    assert check(it, "f(2)", "g(2)") == ""
    it.change((1, 0), (1, 1), "bb")
    assert check(it, "f(2)", "h(2)") == ""


def test_what_was_undone_is_not_suggested() -> None:
    it = Typing(TEXT)
    it.change((1, 4), (1, 5), "h")
    it.change((1, 4), (1, 5), "f", after=60)
    assert check(it, "f(2)", "h(2)") == "rejected"
