from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.document import Snapshot, Span
from lsp_server.languages import LANGUAGES, Language, by_id
from lsp_server.syntax import Parses, Syntax, parse

PYTHON = by_id("python")
SOURCE = "def f(a):\n    # 注文 note\n    s = 'é😀 text'\n    return a\n"


def python(text: str) -> Syntax:
    assert PYTHON
    syntax = parse(text, PYTHON)
    assert syntax
    return syntax


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", 0),
        ("x = 1\n", 0),
        (SOURCE, 0),
        ("x =\n", 1),
        ("f(a\n", 1),  # a token the parser had to add
        ("def :\n    x = = 1\n", 2),
        ("s = '\ud83d'\n", 0),
    ],
)
def test_errors(text: str, errors: int) -> None:
    assert python(text).errors == errors


@pytest.mark.parametrize(
    ("marker", "kind", "in_string", "in_comment"),
    [
        ("def f", "function_definition", False, False),
        ("note", "comment", False, True),
        ("\n    s", "function_definition", False, True),  # at the comment's end
        ("text", "string_content", True, False),
        ("return", "return_statement", False, False),
    ],
)
def test_what_is_around(marker: str, kind: str, in_string: bool, in_comment: bool) -> None:
    syntax, offset = python(SOURCE), SOURCE.index(marker)
    assert syntax.kind_at(offset) == kind or in_comment
    assert syntax.in_string(offset) == in_string
    assert syntax.in_comment(offset) == in_comment


def test_a_string_ends_with_its_quote() -> None:
    syntax = python("s = 'ab'")
    assert [syntax.in_string(offset) for offset in range(9)] == [False] * 5 + [True] * 3 + [False]


@given(st.integers(0, len(SOURCE)), st.integers(0, 12), st.sampled_from(["", "x", ")", "'", "é = (\n", "😀"]))
def test_reparsing_counts_as_parsing_anew(start: int, length: int, new: str) -> None:
    end = min(start + length, len(SOURCE))
    changed = python(SOURCE).replaced(Span(start, end), new)
    assert changed.text == SOURCE[:start] + new + SOURCE[end:]
    assert changed.errors == python(changed.text).errors
    assert changed.reparsed(SOURCE).errors == 0


def test_parses_follow_a_document() -> None:
    parses = Parses()
    for version, (language, text, errors) in enumerate(
        [
            ("python", "x = 1\n", 0),
            ("python", "x = \n", 1),
            ("cobol", "x = \n", None),
            ("python", "x = 2\n", 0),
        ]
    ):
        syntax = parses.of(Snapshot("file:///a", version, language, text))
        assert (syntax and syntax.errors) == errors


def test_a_grammar_that_is_not_installed() -> None:
    assert parse("x", Language(id="x", grammar="tree_sitter_of_no_language", comment="#")) is None


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.id)
def test_every_grammar_loads(language: Language) -> None:
    assert parse("", language)
    assert all(by_id(alias) is language for alias in language.aliases)
