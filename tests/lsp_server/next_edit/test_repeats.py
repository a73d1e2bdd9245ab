"""A change that was made once or more, at the places where it may be due again."""

from __future__ import annotations

import pytest

from lsp_server.next_edit.evidence import Evidence
from lsp_server.next_edit.repeats import patterns, places
from lsp_server.next_edit.rules import suggest
from lsp_server.text.buffer import Buffer
from lsp_server.text.document import Refusal
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import Parses, parse
from tests.support.typist import Typing

CALLS = """\
import logging

logging.debug("one")
logging.debug("two")
logging.debug("three")
# logging.debug("four")
x = 'logging.debug("five")'
"""


def found(it: Typing, pattern: int = 0) -> list[tuple[int, str]]:
    """Line and new text of the places of a pattern, the newest first, whatever the confidence."""
    snapshot, language = it.document.snapshot(0), by_id(it.document.language)
    assert language
    newest = list(patterns(it.history.recent()))[pattern]
    syntax = parse(snapshot.text, language)
    return [
        (snapshot.text.count("\n", 0, span.start), text) for span, text, _ in places(snapshot, newest, syntax)
    ]


def test_two_like_changes_are_offered_at_the_third_place() -> None:
    it = Typing(CALLS)
    it.retype(2, 0, "logging", "logger")
    it.retype(3, 0, "logging", "logger")
    assert it.next_edits() == [(4, 0, "logger")]
    it.change((4, 0), (4, 7), "logger", after=60)
    assert it.next_edits() == []


def test_never_in_strings_and_comments_unless_the_change_was_there() -> None:
    it = Typing(CALLS)
    it.retype(2, 0, "logging", "logger")
    assert [line for line, _ in found(it)] == [3, 4]
    it = Typing(CALLS + "# of logging, too\n")
    it.retype(5, 2, "logging", "logger")
    assert [line for line, _ in found(it)] == [7]


def test_words_are_whole() -> None:
    it = Typing("a = item\nb = item\nc = items + item_s + my.item\n")
    it.retype(0, 4, "item", "thing")
    assert found(it) == [(1, "thing"), (2, "thing")]


def test_what_stands_between_two_words_may_differ_if_it_did() -> None:
    it = Typing("a.get(one).old\na.get(two).old\na.get(f(3)).old\na.get(four\n")
    it.retype(0, 2, "get", "fetch")
    it.change((0, 13), (0, 16), "new")
    assert found(it) == []  # only `(one).` is known to stand there
    it.retype(1, 2, "get", "fetch")
    it.change((1, 13), (1, 16), "new")
    assert found(it) == [(2, "fetch(f(3)).new")]


def test_an_insertion_is_due_where_the_same_stands_beside_it() -> None:
    it = Typing("f(a, x=1)\nf(b, x=1)\nf(c, x=2)\nf(d, y=1)\n")
    it.change((0, 8), (0, 8), ", y=2")
    assert found(it) == [(1, ", y=2"), (3, ", y=2")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_insertion_at_the_end_of_lines(end: str) -> None:
    it = Typing(end.join(["x = f(a)", "y = f(a)", "z = f(a) + 1", ""]))
    it.change((0, 8), (0, 8), "  # noqa")
    assert found(it) == [(1, "  # noqa")]


def test_what_was_changed_already_is_left_alone() -> None:
    it = Typing("run(a, b)\nself.run(a, b)\nrun(a, b)\n")
    it.change((0, 0), (0, 0), "self.")
    assert found(it) == [(2, "self.")]


def test_a_paste_is_no_example() -> None:
    it = Typing("a\n")
    it.change((0, 0), (0, 1), "b\nc\nd")
    assert list(patterns(it.history.recent())) == []


def test_one_change_is_enough_only_where_much_speaks_for_it() -> None:
    it = Typing("w = record()\nassert w.HeaderMap.get('a') == 1\nassert w.HeaderMap.get('b') == 2\n")
    it.retype(1, 9, "HeaderMap", "headers")
    assert it.next_edits() == [(2, 9, "headers")]
    it = Typing("a = 1\nb = 1\nc = f(1)\n")
    it.retype(0, 4, "1", "2")
    assert it.next_edits() == []
    it = Typing("a = first\nfirst.b()\nc(d, first)\n")
    it.retype(0, 4, "first", "second")
    assert it.answer() == ([], "confidence")


def test_a_change_in_one_document_is_due_in_another() -> None:
    it = Typing("logging.debug(1)\nlogging.debug(2)\n")
    it.retype(0, 0, "logging", "logger")
    it.retype(1, 0, "logging", "logger")
    other = Buffer("file:///b.py", 1, "python", "logging.debug(3)\n")
    answer = suggest(other.snapshot(0), 0, it.history, Parses())
    assert not isinstance(answer, Refusal)
    assert [(each.uri, each.text) for each in answer] == [("file:///b.py", "logger")]


def test_confidence_grows_with_what_is_alike() -> None:
    alone = Evidence(0, 0, 1, False, 1, 0.2, 500, False, 5, False, "code", 3, 1)
    alike = Evidence(4, 4, 1, False, 2, 1.0, 3, True, 1, True, "code", 0, 1)
    assert 0 < alone.confidence < 0.1 < 0.7 < alike.confidence < 1
