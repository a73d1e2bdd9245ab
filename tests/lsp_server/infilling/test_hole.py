from __future__ import annotations

import inspect
import re

import pytest

from lsp_server.infilling import trigger_policy
from lsp_server.infilling.hole import RULES, Hole, find, of_selection
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import Parses, parse
from tests.support.paths import ROOT


def at(text: str, offset: int | None, max_tokens: int = 64, invoked: bool = True) -> Hole | Refusal:
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    return find(snapshot, Parses().around(snapshot, offset or 0), offset, max_tokens, invoked=invoked)


def check(marked: str, kind: str, max_tokens: int = 64, invoked: bool = True) -> None:
    """The hole at the `|` in a text is empty, there, and of this kind."""
    offset = marked.index("|")
    found = at(marked.replace("|", "", 1), offset, max_tokens, invoked)
    assert not isinstance(found, Refusal)
    assert (found.span, found.kind) == (Span(offset, offset), kind)
    assert 0 < found.max_tokens <= max_tokens


@pytest.mark.parametrize(
    ("marked", "kind"),
    [
        ("a = |", "rest-of-line"),
        ("a = |\nb", "rest-of-line"),
        ("a = |  \r\nb", "rest-of-line"),
        ("print(|)", "arguments"),
        ("print(a, |", "arguments"),
        ("d = {|}", "brackets"),
        ("x = ab|", "word"),
        ("x = 'a|'", "string"),
        ("x = 1  # a|", "comment"),
        ("def f(|):\n", "arguments"),
        ("d = {'|'}", "string"),
        ("print(|, b)", "middle-of-line"),
        ("|a = 1", "middle-of-line"),
        ("名 = |😀", "middle-of-line"),
    ],
)
def test_kinds(marked: str, kind: str) -> None:
    check(marked, kind)


@pytest.mark.parametrize("marked", ["|", "a\n|\nb", "a\n    |", "a\n  |  \nb", "a\r\n\t|\r\nb"])
def test_blank_lines(marked: str) -> None:
    """The user who asks gets several."""
    check(marked, "whole-line", invoked=False)
    check(marked, "block")


@pytest.mark.parametrize(
    ("marked", "kind"),
    [
        ("def f():\n    |", "body"),
        ("def f():\n    |\n\ndef g():\n    pass\n", "body"),
        ("if a:\r\n\t|\r\nb\r\n", "body"),
        ("def f(\n    a,\n):\n    |\n", "body"),
        ("if a:\n    |\n    b\n", "block"),
        ("x = {a:\n    |\n", "block"),
    ],
)
def test_an_empty_body(marked: str, kind: str) -> None:
    check(marked, kind)
    check(marked, "whole-line", invoked=False)


def test_the_setting_limits_the_hole() -> None:
    check("a = |", "rest-of-line", max_tokens=5)


@pytest.mark.parametrize("offset", [None, -1, 3])
def test_a_cursor_outside_the_document(offset: int | None) -> None:
    found = at("ab", offset)
    assert isinstance(found, Refusal)
    assert found.reason == "position"


def selected(text: str, start: int, end: int) -> Hole | Refusal:
    language = by_id("python")
    assert language
    return of_selection(Snapshot("a", 1, "python", text), parse(text, language), Span(start, end), 64)


SOURCE = "def f():\n    pass\n\n\ndef g(a):\n    x = 1\n    return <fill>\n"


@pytest.mark.parametrize(
    ("before", "text", "kind"),
    [
        ("d", "pass", "body"),  # anywhere in the function
        ("    pa", "pass", "body"),
        ("    return ", "<fill>", "rest-of-line"),
        ("    return <f", "<fill>", "rest-of-line"),
        ("    x ", None, "no-hole"),
    ],
)
def test_a_cursor(before: str, text: str | None, kind: str) -> None:
    at = SOURCE.index(before) + len(before)
    hole = selected(SOURCE, at, at)
    if text is None:
        assert isinstance(hole, Refusal)
        assert hole.reason == kind
        assert "<fill>" in hole.message
        return
    assert isinstance(hole, Hole)
    assert SOURCE[hole.span.start : hole.span.end] == text
    assert hole.kind == kind


@pytest.mark.parametrize(
    ("marked", "text", "indent", "several"),
    [
        ("def g(a):\n|    x = 1\n    return a\n|", "x = 1\n    return a", "    ", True),
        ("    x = |1 + 2|\n", "1 + 2", "    ", False),
        ("|        a\n    b\n|", "a\n    b", "    ", True),
        ("x = |f(\n    a,\n)|.b\n", "f(\n    a,\n)", "", True),
    ],
)
def test_a_selection(marked: str, text: str, indent: str, several: bool) -> None:
    start, end = marked.index("|"), marked.rindex("|") - 1
    source = marked.replace("|", "")
    hole = selected(source, start, end)
    assert isinstance(hole, Hole)
    assert source[hole.span.start : hole.span.end] == text
    assert (hole.kind, hole.indent, hole.lines > 1) == ("selection", indent, several)


@pytest.mark.parametrize(("start", "end", "reason"), [(0, 99, "position"), (0, 2, "no-hole")])
def test_no_selection(start: int, end: int, reason: str) -> None:
    refusal = selected("  \n", start, end)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason


def table(page: str, heading: str) -> list[list[str]]:
    part = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_documented_table() -> None:
    page = (ROOT / "docs" / "holes.md").read_text(encoding="utf-8")
    rules = {(kind, rule.place, str(rule.tokens), str(rule.lines)) for kind, rule in RULES.items()}
    assert {tuple(row) for row in table(page, "The place decides the hole")} == rules
    reasons = {row[0] for row in table(page, "Where nothing is offered unasked")}
    assert reasons == set(re.findall(r'Refusal\("(\w+)"', inspect.getsource(trigger_policy)))
