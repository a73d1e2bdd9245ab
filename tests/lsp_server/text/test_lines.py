from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.text.lines import in_quotes, indent_unit, line_at, line_end, open_brackets, unmatched


@pytest.mark.parametrize(
    ("text", "offset", "line"),
    [
        ("", 0, ""),
        ("a\nbc\nd", 3, "bc"),
        ("a\r\nbc\r\nd", 5, "bc"),
        ("a\rbc\rd", 2, "bc"),
        ("a\n", 2, ""),
        ("a\x0cb\u2028c", 3, "a\x0cb\u2028c"),
    ],
)
def test_the_line_at_an_offset(text: str, offset: int, line: str) -> None:
    span = line_at(text, offset)
    assert text[span.start : span.end] == line


@pytest.mark.parametrize(("text", "end"), [("a", "\n"), ("a\r\nb\n", "\r\n"), ("a\rb\n", "\r")])
def test_the_line_end_of_a_new_line(text: str, end: str) -> None:
    assert line_end(text) == end


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "    "),
        ("a\nb\n", "    "),
        ("a:\n  b\n", "  "),
        ("a:\n    b:\n        c\n    d\n", "    "),
        ("a:\n\tb\n", "\t"),
        ("a:\n\tb\n\tc\nd:\n  e\n", "\t"),
        ("if a:\n  b(c,\n         d)\n  b(c,\n         d)\n", "  "),  # below a bracket is no level
        ("a:\r  b\r", "  "),
    ],
)
def test_one_level_of_indentation(text: str, unit: str) -> None:
    assert indent_unit(text) == unit


def test_indentation_where_there_is_none() -> None:
    assert indent_unit("a\nb\n", "\t") == "\t"


@pytest.mark.parametrize(
    ("text", "closers", "openers"),
    [
        ("f(a)[0]", "", ""),
        ("f(a, {", "", "({"),
        ("a])", "])", ""),
        ("a] + (b", "]", "("),
        ("(]", "]", "("),  # closes another bracket than is open
        ("'(", "", "("),  # strings are not known
    ],
)
def test_unmatched_brackets(text: str, closers: str, openers: str) -> None:
    assert unmatched(text) == (closers, openers)


BRACKETS = st.text(st.sampled_from("()[]{}a"), max_size=12)
ONE_KIND = st.text(st.sampled_from("()a"), max_size=12)


@given(ONE_KIND, ONE_KIND)
def test_what_is_unmatched_in_two_texts_is_so_in_both_together(first: str, second: str) -> None:
    parts = "".join(unmatched(first)) + "".join(unmatched(second))
    assert unmatched(parts) == unmatched(first + second)


@given(BRACKETS)
def test_without_closers_all_openers_are_open(text: str) -> None:
    if not unmatched(text)[0]:
        assert "".join(open_brackets(text)) == unmatched(text)[1]


@pytest.mark.parametrize(
    ("head", "quotes", "expected"),
    [
        ("a = 'b", "\"'", True),
        ("a = 'b'", "\"'", False),
        ("a = 'b\"", "\"'", True),  # the other quote closes nothing
        ("a = 'b\\'", "\"'", True),
        ("a = 'b\\\\'", "\"'", False),
        ("fn f<'a", '"', False),  # no quote of the language
        ("", "\"'", False),
    ],
)
def test_an_open_string(head: str, quotes: str, expected: bool) -> None:
    assert in_quotes(head, quotes) == expected
