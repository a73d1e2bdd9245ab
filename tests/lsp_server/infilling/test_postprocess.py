from __future__ import annotations

import pytest

from lsp_server.infilling import postprocess


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x = 1", "x = 1"),
        ("x = 1<|endoftext|>y", "x = 1"),
        ("x = 1<eos>", "x = 1"),
        ("<bos>x = 1", "x = 1"),
        ("<|fim_middle|>x<|fim_suffix|>y", "x"),
        ("<MID>x<EOT>", "x"),
        ("<|file_sep|>import os", ""),
        ("a<fill>b", "a"),
        ("a[MASK]", "a"),
        ("if a < b > c: <T>", "if a < b > c: <T>"),
        ("<title>a</title>", "<title>a</title>"),
        ("a <|> b", "a <|> b"),
    ],
)
def test_leaked_tokens(text: str, kept: str) -> None:
    assert postprocess.without_sentinels(text, "") == kept


def test_a_document_about_special_tokens() -> None:
    assert postprocess.without_sentinels("'<eos>'", "END = '<eos>'") == "'<eos>'"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("foo bar foo bar foo bar foo bar ", "foo bar "),
        ("x = a.b.b.b.b.b.b.b.b.b.b", "x = a.b"),
        ("line\nline\nline\nline\nline\n", "line\n"),
        ("[0, 0, 0, 0]", "[0, 0, 0, 0]"),
        ("0, 0, 0, 0", "0, 0, 0, 0"),
        ("# " + "-" * 40, "# " + "-" * 40),
        ("abc", "abc"),
        ("", ""),
    ],
)
def test_loops(text: str, kept: str) -> None:
    assert postprocess.without_loop(text) == kept


@pytest.mark.parametrize(
    ("text", "following", "kept"),
    [
        ("a\nb\nc", "\nb\nc\nd", "a"),
        ("a\nb\nz", "\nb\nc\n", "a"),  # goes on as the document does
        ("a\n\nb", "\n\nb\n", "a"),
        ("a\n  b", "\nb\n", "a\n  b"),  # belongs to another block
        ("a\n}", "\n}\n", "a"),
        ("a\n}\nb", "\n}\nc", "a\n}\nb"),
        ("a\nb", "", "a\nb"),
    ],
)
def test_lines_that_follow(text: str, following: str, kept: str) -> None:
    assert postprocess.without_following(text, following) == kept


@pytest.mark.parametrize(
    ("text", "indent", "kept"),
    [
        ("a", "    ", "a"),
        ("a\n    b\nc", "    ", "a\n    b"),
        ("a\n    b\n\n\n", "    ", "a\n    b"),
        ("a\n\n    b", "    ", "a\n\n    b"),
        ("a\n\tb\nc", "\t", "a\n\tb"),
        ("a\nb", "", "a\nb"),
        ("if a:\n        b\n    c\nd", "    ", "if a:\n        b\n    c"),
    ],
)
def test_where_the_scope_ends(text: str, indent: str, kept: str) -> None:
    assert postprocess.within_block(text, indent) == kept


@pytest.mark.parametrize(
    ("text", "indent", "unit", "kept"),
    [
        ("if a:\n  b\nc", "", "    ", "if a:\n    b\nc"),
        ("if a:\n\tb\nc", "", "    ", "if a:\n    b\nc"),
        ("if a:\n        b", "    ", "\t", "if a:\n    \tb"),
        ("if a {\n    b\n}", "", "\t", "if a {\n\tb\n}"),
        ("if a {\n\t\tb\n\t}", "\t", "\t", "if a {\n\t\tb\n\t}"),
        ("f(a,\n  b)", "", "    ", "f(a,\n    b)"),
        ("f(a,\n     b,\n     c)", "", "    ", "f(a,\n     b,\n     c)"),  # below the bracket
        ("a\n\n  b", "  ", "  ", "a\n\n  b"),
    ],
)
def test_indentation(text: str, indent: str, unit: str, kept: str) -> None:
    assert postprocess.reindented(text, indent, unit) == kept


@pytest.mark.parametrize(
    ("text", "worth"), [("um", False), (":", False), (" x ", False), (")", True), ('"', True), ("sum", True)]
)
def test_a_character_or_two_are_not_worth_showing(text: str, worth: bool) -> None:
    assert postprocess.worth_showing(text) is worth
