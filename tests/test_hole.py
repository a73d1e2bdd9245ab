from __future__ import annotations

import pytest

from lsp_server.document import Refusal, Snapshot, Span
from lsp_server.hole import Hole, find
from lsp_server.syntax import Parses


def at(text: str, offset: int | None, max_tokens: int = 64) -> Hole | Refusal:
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    return find(snapshot, Parses().around(snapshot, offset or 0), offset, max_tokens, invoked=True)


def check(marked: str, kind: str, max_tokens: int = 64) -> None:
    """The hole at the `|` in a text is empty, there, and of this kind."""
    offset = marked.index("|")
    found = at(marked.replace("|", "", 1), offset, max_tokens)
    assert not isinstance(found, Refusal)
    assert (found.span, found.kind) == (Span(offset, offset), kind)
    assert 0 < found.max_tokens <= max_tokens


@pytest.mark.parametrize(
    ("marked", "kind"),
    [
        ("|", "whole-line"),
        ("a\n|\nb", "whole-line"),
        ("a\n    |", "whole-line"),
        ("a\n  |  \nb", "whole-line"),
        ("a\r\n\t|\r\nb", "whole-line"),
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


def test_the_setting_limits_the_hole() -> None:
    check("a = |", "rest-of-line", max_tokens=5)


@pytest.mark.parametrize("offset", [None, -1, 3])
def test_a_cursor_outside_the_document(offset: int | None) -> None:
    found = at("ab", offset)
    assert isinstance(found, Refusal)
    assert found.reason == "position"
