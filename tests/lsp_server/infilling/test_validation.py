from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.infilling.hole import find, placeholders
from lsp_server.infilling.validation import minimal, validate
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.lines import line_end
from lsp_server.text.syntax import Parses, parse
from model_runtime.protocol import Done

DONE = Done(1, ("",), confidence=0.5, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)


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
        ("def f():\n    a()\n    |\n", "    return 1", "return 1"),  # not deeper than its block
        ("def f():\n    if a:\n    |\n", "    return 1", "    return 1"),
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


@pytest.mark.parametrize(
    ("marked", "written", "offered"),
    [
        ("def f():\n    |\n", "x = 1\n    return x\n", "x = 1\n    return x"),
        ("def f():\n    |\n\nf()\n", "x = 1\n    return x\nf()\n", "x = 1\n    return x"),
        ("def f():\r\n    |\r\n", "x = 1\n    return x", "x = 1\r\n    return x"),
        ("class A:\n\tdef f():\n\t\t|\n", "if x:\n\t\t    y\n\t\tz", "if x:\n\t\t\ty\n\t\tz"),
        ("def f():\n    |\n    return x\n", "x = 1\n    return x\n", "x = 1"),
        ("def f():\n    |\n", "x = 1\n    y = = 2\n    z", "x = 1"),  # the longest part that parses
        ("def f():\n    |\n", "x = (1,\n         2)\n    y = (", "x = (1,\n         2)"),
        ("def f():\n    |\n", "\n\nx\n", None),
    ],
)
def test_several_lines(marked: str, written: str, offered: str | None) -> None:
    if offered is None:
        assert isinstance(outcome(marked, written), Refusal)
    else:
        check(marked, written, offered)


def in_javascript(marked: str, written: str) -> str:
    edit = outcome(marked, written, "javascript")
    return edit.text if isinstance(edit, Edit) else edit.reason


@pytest.mark.parametrize(
    ("marked", "written", "offered"),
    [
        ("function f() {\n  |\n}\n", "if (x) {\n    y();\n  }\n}\n", "if (x) {\n    y();\n  }"),
        ("f(|\n", "a, b);", "a, b);"),  # closes what is open
        ("f(|);\n", "a, b));", "a, b"),
        ("const s = |;\n", '":("', '":("'),  # in a string they are not brackets
        ("const s = '|';\n", "a' + 'b", "a' + 'b"),
        ("const s = |\n", "[1, 2]]", "[1, 2]"),
        ("const s = |\n", "[1, 2", "parse"),
    ],
)
def test_brackets(marked: str, written: str, offered: str) -> None:
    assert in_javascript(marked, written) == offered


def test_a_placeholder_gives_way() -> None:
    python = by_id("python")
    assert python
    snapshot = Snapshot("file:///a.py", 7, "python", "def f(a):\r\n    pass\r\n\r\ndef g(): ...\r\n")
    syntax = parse(snapshot.text, python)
    first, second = placeholders(snapshot, syntax, 64)
    for hole, written, expected in (
        (first, "b = a\n    return b", "b = a\r\n    return b"),
        (first, "pass", "placeholder"),
        (first, "...", "placeholder"),
        (first, "# TODO: later\n    raise NotImplementedError()", "placeholder"),
        (first, "# so it is", "placeholder"),
        (second, "<fill>", "empty"),  # a special token of some models
        (first, "    b = a\n        return b", "b = a\r\n    return b"),
        (first, "    if a:\n            b()", "if a:\r\n        b()"),
        (first, "    if a:\n        b()", "if a:\r\n        b()"),
        (second, "return 1\n    # so\n", "\r\n    return 1\r\n    # so"),
        (second, "x = = (", "parse"),
    ):
        edit = validate(snapshot, syntax, hole, written, DONE)
        assert (edit.text if isinstance(edit, Edit) else edit.reason) == expected


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 4\nc = 3\n", ["2 -> 4"]),
        ("a\nb\n", "a\nx\nb\n", [" -> x\n"]),
        ("a\r\nb\r\n", "a\r\n", ["b\r\n -> "]),
        ("f(a, b)", "f(a, c, b)", [" -> c, "]),
        ("a", "a", []),
        ("", "a", [" -> a"]),
    ],
)
def test_minimal(old: str, new: str, changes: list[str]) -> None:
    snapshot = Snapshot("a", 1, "python", "<" + old + ">")
    whole = Edit("a", 1, Span(1, 1 + len(old)), new, confidence=0.5, steps=3, ms=1.0)
    parts = minimal(snapshot, whole)
    assert [f"{snapshot.text[it.span.start : it.span.end]} -> {it.text}" for it in parts] == changes


TEXTS = st.text(
    st.sampled_from("abx_ \t\r\n()[]{}'\"`:;,.=#\\é注😀\x00\x0b\x85\u2028\ufeff\ud83d<|>"), max_size=60
)


@given(TEXTS, TEXTS)
def test_minimal_changes_make_the_whole_change(old: str, new: str) -> None:
    snapshot = Snapshot("a", 1, "python", "<" + old + ">")
    parts = minimal(snapshot, Edit("a", 1, Span(1, 1 + len(old)), new, confidence=0.5, steps=3, ms=1.0))
    text, last = snapshot.text, 0
    for part in parts:
        assert last <= part.span.start <= part.span.end
        last = part.span.end
    for part in reversed(parts):
        text = text[: part.span.start] + part.text + text[part.span.end :]
    assert text == "<" + new + ">"


PLACES = st.sampled_from(
    [
        *("|", "x = |\n", "def f():\n    |\n", "f(a, |)\n", "x = '|'\n", "# |\n", "if a:\r\n\t|\r\nb\r\n"),
        *("class A:\n    def f(self):\n        x = [1,\n             |]\n        return x\n", "f(\n|\n)\n"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(PLACES, TEXTS, TEXTS, TEXTS, st.sampled_from(["python", "javascript", "yaml", "html", "cobol"]))
def test_whatever_is_written(marked: str, before: str, after: str, written: str, language: str) -> None:
    """No exception; only the hole changes; nothing unprintable; nothing that parses worse."""
    at = marked.index("|") + len(before)
    text = before + marked.replace("|", "", 1) + after
    snapshot, known = Snapshot("a", 1, language, text), by_id(language)
    syntax = Parses().around(snapshot, at)
    hole = find(snapshot, syntax, at, 64, invoked=True)
    assert not isinstance(hole, Refusal)
    edit = validate(snapshot, syntax, hole, written, DONE)
    if isinstance(edit, Refusal):
        assert edit.message
        return
    assert edit.span == hole.span == Span(at, at)
    assert edit.text.strip()
    assert "\x00" not in edit.text
    assert set(re.findall("\r\n|\r|\n", edit.text)) <= {line_end(text)}
    if known:
        old, new = parse(text, known), parse(text[:at] + edit.text + text[at:], known)
        assert old
        assert new
        assert new.errors <= old.errors


@pytest.mark.parametrize("written", ["x" * 10**6, "(" * 10**5, "a\n" * 10**5, "\ud83d" * 1000, "ab " * 10**5])
@pytest.mark.parametrize("language", ["python", "cobol"])
def test_huge_answers_take_no_time(written: str, language: str) -> None:
    started = time.perf_counter()
    outcome("def f():\n    |\n", written, language)
    assert time.perf_counter() - started < 2


def test_a_language_without_a_grammar_is_not_parsed() -> None:
    check("a = |)\n", "f(b))", "f(b)", language="other")
    check("a = |\n", "= = b", "= = b", language="other")
