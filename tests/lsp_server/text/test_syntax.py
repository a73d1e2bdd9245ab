from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.text.document import Snapshot, Span
from lsp_server.text.languages import LANGUAGES, Language, by_id
from lsp_server.text.parse_region import around
from lsp_server.text.syntax import Parses, Syntax, parse
from tests.support.listings import listing

PYTHON = next(language for language in LANGUAGES if language.id == "python")
SOURCE = "def f(a):\n    # 注文 note\n    s = 'é😀 text'\n    return a\n"


def python(text: str) -> Syntax:
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
    ("marker", "in_string", "in_comment"),
    [
        ("def f", False, False),
        ("note", False, True),
        ("\n    s", False, True),  # at the comment's end
        ("text", True, False),
        ("return", False, False),
    ],
)
def test_what_is_around(marker: str, in_string: bool, in_comment: bool) -> None:
    syntax, offset = python(SOURCE), SOURCE.index(marker)
    assert syntax.in_string(offset) == in_string
    assert syntax.in_comment(offset) == in_comment


def test_a_string_ends_with_its_quote() -> None:
    syntax = python("s = 'ab'")
    assert [syntax.in_string(offset) for offset in range(9)] == [False] * 5 + [True] * 3 + [False]


EDITS = st.tuples(
    st.integers(0, len(SOURCE)),
    st.integers(0, 12),
    st.sampled_from(["", "x", ")", "'", "é = (\n", "😀", '"""', "\r\n", "def f():\n    ", "\ud83d"]),
)


@given(st.lists(EDITS, min_size=1, max_size=8))
def test_reparsing_counts_as_parsing_anew(edits: list[tuple[int, int, str]]) -> None:
    text, changed, parses = SOURCE, python(SOURCE), Parses()
    for start, length, new in edits:
        start = min(start, len(text))
        end = min(start + length, len(text))
        text, changed = text[:start] + new + text[end:], changed.replaced(Span(start, end), new)
        followed = parses.around(Snapshot("a", 1, "python", text), start)
        assert followed
        assert changed.text == followed.text == text
        assert changed.errors == followed.errors == python(text).errors
    assert changed.reparsed(SOURCE, 0).errors == 0


@given(st.lists(EDITS, min_size=1, max_size=8), st.integers(0, 60_000))
@settings(max_examples=30, deadline=None)
def test_the_parse_around_a_place_follows_its_edits(edits: list[tuple[int, int, str]], near: int) -> None:
    text, parses = listing(60_000), Parses()
    for start, length, new in edits:
        start += near
        text = text[:start] + new + text[start + length :]
        snapshot = Snapshot("a", 1, "python", text)
        followed, anew = parses.around(snapshot, start), Parses().around(snapshot, start)
        assert followed
        assert anew
        regions = around(text, start, PYTHON)
        if len(regions) == 1:
            assert (followed.text, followed.start) == (anew.text, anew.start)
            assert followed.errors == anew.errors
        else:  # guesses, of which the last one is kept while it may be right
            assert followed.text in [region.of(text) for region in regions]


def test_what_is_around_in_a_long_text() -> None:
    text = listing(60_000)
    whole, parses, cut_badly = python(text), Parses(), 0
    assert whole.errors == 0
    places = range(0, len(text), 1_237)
    for offset in places:
        syntax = parses.around(Snapshot("a", 1, "python", text), offset)
        assert syntax
        assert len(syntax.text) < len(text)
        if syntax.errors:
            cut_badly += 1  # at a long table's first or last rows, where it is a guess
        else:
            assert syntax.in_string(offset) == whole.in_string(offset)
            assert syntax.in_comment(offset) == whole.in_comment(offset)
    assert cut_badly <= len(places) // 6


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
        syntax = parses.around(Snapshot("file:///a", version, language, text), 4)
        assert (syntax and syntax.errors) == errors


def test_a_grammar_that_is_not_installed() -> None:
    assert parse("x", Language(id="x", grammar="tree_sitter_of_no_language")) is None


def test_a_grammar_is_loaded_when_its_language_is() -> None:
    code = (
        "import sys; from lsp_server.text import languages, syntax; import lsp_server.handlers.server\n"
        "loaded = lambda: sorted(name for name in sys.modules if name.startswith('tree_sitter_'))\n"
        "assert loaded() == [], loaded()\n"
        "syntax.parse('', languages.by_id('lua'))\n"
        "print(*{name.partition('.')[0] for name in loaded()})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tree_sitter_lua"]


def test_a_missing_grammar_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    language = Language(id="x", grammar="tree_sitter_of_no_language_at_all")
    assert [parse("x", language), parse("x", language)] == [None, None]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("language", "marked", "where"),
    [
        ("javascript", "x = `a${|b}c`", "code"),
        ("javascript", "x = `a${b}|c`", "string"),
        ("python", "x = f'a{|b}c'", "code"),
        ("ruby", 'x = "a#{|b}c"', "code"),
        ("csharp", 'class A { string B = $"a{|b}c"; }', "code"),
        ("rust", 'let x = "a|b";', "string"),
        ("go", "package a\nvar b = `a|b`\n", "string"),
        ("c", 'char *a = "a|b";', "string"),
        ("java", 'class A { String b = "a|b"; }', "string"),
        ("php", "<?php $a = 'a|b';", "string"),
        ("lua", "x = [[a|b]]", "string"),
        ("shellscript", "a='a|b'", "string"),
        ("html", "<p class='a|b'>", "string"),
        ("css", "a { content: 'a|b'; }", "string"),
        ("json", '{"a": "a|b"}', "string"),
        ("yaml", 'a: "a|b"', "string"),
        ("toml", 'a = "a|b"', "string"),
        ("rust", "/* a|b */", "comment"),
        ("java", "// a|b", "comment"),
        ("lua", "-- a|b", "comment"),
        ("html", "<!-- a|b -->", "comment"),
        ("css", "/* a|b */", "comment"),
    ],
)
def test_strings_and_comments(language: str, marked: str, where: str) -> None:
    offset, known = marked.index("|"), by_id(language)
    assert known
    syntax = parse(marked.replace("|", ""), known)
    assert syntax
    found = "comment" if syntax.in_comment(offset) else "string" if syntax.in_string(offset) else "code"
    assert found == where


def test_what_takes_too_long_to_parse_is_done_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `<!--` as Python nothing parses, in a time that grows with the square of its length."""
    text = "<!--" * 5_000
    assert parse(text, PYTHON) is None
    assert Parses().around(Snapshot("a.py", 0, "python", text), 10_000) is None
    before = python(SOURCE)
    spoiled = before.replaced(Span(0, 0), text)
    assert not spoiled.complete
    assert spoiled.errors > before.errors
    assert spoiled.replaced(Span(0, len(text)), "").errors == 0
