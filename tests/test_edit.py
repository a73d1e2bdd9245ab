from __future__ import annotations

import pytest

from lsp_server.document import Edit, Refusal, Snapshot, Span
from lsp_server.edit import validate
from lsp_server.hole import find
from lsp_server.syntax import Parses
from model_runtime.protocol import Done


def outcome(marked: str, written: str, language: str = "python") -> Edit | Refusal:
    """What becomes of `written` at the `|` in a text."""
    offset = marked.index("|")
    snapshot = Snapshot("file:///a.py", 7, language, marked.replace("|", "", 1))
    syntax = Parses().around(snapshot, offset)
    hole = find(snapshot, syntax, offset, 64, invoked=True)
    assert not isinstance(hole, Refusal)
    done = Done(1, (written,), confidence=0.5, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)
    return validate(snapshot, syntax, hole, written, done, ms=1.0)


def check(marked: str, written: str, offered: str, language: str = "python") -> None:
    at = marked.index("|")
    expected = Edit("file:///a.py", 7, Span(at, at), offered, confidence=0.5, steps=3, ms=1.0)
    assert outcome(marked, written, language) == expected


def check_refused(marked: str, written: str, reason: str) -> None:
    refusal = outcome(marked, written)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.reason == reason
    assert refusal.message
    assert "\n" not in refusal.message


@pytest.mark.parametrize(
    ("marked", "written", "offered"),
    [
        ("a = |\n", "b", "b"),
        ("a = |\n", "b\n", "b"),
        ("a = |\n", "b\r\nc", "b"),
        ("a = |\n", "b\n\nc = d\n", "b"),  # holes take one line
        ("a = |\n", " b  ", "b"),  # a blank is there already
        ("a =|\n", " b", " b"),
        ("a = |", "b", "b"),
        ("def f():\n    |\n", "return 1\n", "return 1"),
        ("def f():\n|\n", "    return 1", "    return 1"),
        ("a = 1\r\nb = |\r\nc = 3\r\n", "2\n", "2"),
        ("s = '😀' + |\n", "注", "注"),
    ],
)
def test_one_line_in_place(marked: str, written: str, offered: str) -> None:
    check(marked, written, offered)


@pytest.mark.parametrize(
    ("marked", "written", "offered"),
    [
        ("print(|)\n", "a)", "a"),
        ("print(|)\n", "f(a)", "f(a)"),  # closes its own bracket
        ("print(|)\n", "f(a))", "f(a)"),
        ("print(str(|))\n", "f(a))", "f(a)"),
        ("print(str(|))\n", "f(a)))", "f(a)"),
        ("x = d['|']\n", "key']", "key"),
        ("x = '|'\n", "a' + 'b'", "a' + 'b"),
        ("def f(|):\n    pass\n", "a, b):", "a, b"),
        ("print(|, b)\n", "a, b)", "a"),
        ("print(|s)\n", "class", "class"),  # not inside a word
        ("if |:\n    pass\n", "a:", "a"),
    ],
)
def test_what_follows_the_cursor_is_not_repeated(marked: str, written: str, offered: str) -> None:
    check(marked, written, offered)


@pytest.mark.parametrize(
    ("marked", "written"),
    [
        ("class A:\n    def f(self, a, b):\n        |\n        self.b = b\n", "self.b = b"),
        ("self.a = |\nself.b = b\nself.a = 1\n", ""),
        ("x.b = |\n\nx.b = b\n", "b"),
        ("x.b = |\r\nx.b = b\r\n", "b\n"),
    ],
)
def test_lines_that_follow_are_not_repeated(marked: str, written: str) -> None:
    check_refused(marked, written, "repeats" if written else "empty")


def test_punctuation_may_stand_twice() -> None:
    check("x = [\n    [\n    1\n    |\n    ]\n", "]", "]", language="other")


@pytest.mark.parametrize(
    ("marked", "written", "offered"),
    [
        ("a = 1|\n", " + 2))", " + 2"),  # brackets that close nothing
        ("a = |\n", "'b''", "'b'"),
        ("x = f(|\n", "b)", "b)"),
        ("x = |\n    1,\n)\n", "f(", "f("),  # an open bracket that the following lines close
    ],
)
def test_the_longest_part_that_parses(marked: str, written: str, offered: str) -> None:
    check(marked, written, offered)


@pytest.mark.parametrize(
    ("marked", "written", "reason"),
    [
        ("a = |\n", "", "empty"),
        ("a = |\n", "\n\n", "empty"),
        ("a = |\n", "\nb = c", "empty"),
        ("print(|)\n", ")", "empty"),
        ("a = 1|\n", " = = 2", "parse"),
        ("a = 1\n|\nb = 2\n", "def (:", "parse"),
        ("a = |\nb = 1\n", "f(c", "parse"),  # leaves a bracket open and mends nothing
        ("a = |\n", "b\x00", "unprintable"),
        ("a = |\n", "b\ufffd", "unprintable"),
        ("a = |\n", "b\x1b[0m", "unprintable"),
        ("a = |\n", "\ud83d", "unprintable"),
    ],
)
def test_refused(marked: str, written: str, reason: str) -> None:
    check_refused(marked, written, reason)


def test_a_language_without_a_grammar_is_not_parsed() -> None:
    check("a = |)\n", "f(b))", "f(b)", language="other")
    check("a = |\n", "= = b", "= = b", language="other")
