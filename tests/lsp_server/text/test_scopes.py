from __future__ import annotations

import pytest

from lsp_server.text.document import Span
from lsp_server.text.languages import by_id
from lsp_server.text.scopes import docstring, function_bodies, left_over, statement
from lsp_server.text.syntax import Syntax, parse


def parsed(text: str, language_id: str = "python") -> Syntax:
    language = by_id(language_id)
    assert language
    syntax = parse(text, language)
    assert syntax
    return syntax


def shown(text: str, span: Span | None) -> str | None:
    return None if span is None else text[span.start : span.end]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("a = 1\nb = f(|x)\n", "b = f(x)"),
        ("if a:\n    é = |b\n    c\n", "é = b"),
        ("if |a:\n    b\n", "if a:\n    b"),
        ("def f():\n    return |[\n        1,\n    ]\n", "return [\n        1,\n    ]"),
        ("|", None),
    ],
)
def test_the_statement_around_a_place(marked: str, expected: str | None) -> None:
    at, text = marked.index("|"), marked.replace("|", "")
    assert shown(text, statement(parsed(text), Span(at, at))) == expected


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ('def f():\n    """Doc."""\n    |x\n', ('"""Doc."""', True)),
        ("def f():\n    x\n    |y\n", ("x", False)),
        ("def f():\n    'é'\n    def g():\n        |x\n", ("x", False)),  # of the inner one
        ("def f(): |x\n", None),  # on the head's line
        ("|x\n", None),
    ],
)
def test_the_docstring_of_the_function_around(marked: str, expected: tuple[str, bool] | None) -> None:
    at, text = marked.index("|"), marked.replace("|", "")
    found = docstring(parsed(text), at)
    assert (found and (shown(text, found[0]), found[1])) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "def f():\n    a\n\ndef g(): b\n", ["a", "b"]),
        (
            "python",
            "def é():\n    def g():\n        ü\n",
            ["def g():\n        ü", "ü"],
        ),  # the outer one first
        ("javascript", "function f() { a }\nclass A { g() {} }\n", [" a ", ""]),
        ("ruby", "def f\nend\n", [""]),
        ("ruby", "def f; end\n", []),  # all on one line
        ("c", "int f(void);\n", []),
    ],
)
def test_the_bodies_of_functions(language: str, text: str, expected: list[str]) -> None:
    found = function_bodies(parsed(text, language))
    assert [shown(text, inside) for _, inside in found] == expected
    assert all(whole.start < inside.start and inside.end <= whole.end for whole, inside in found)


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("def f(new):\n    return old + old\n", 2),
        ("def f(new):\n    return a.old\n", 0),  # an attribute is another thing
        ("def f(new):\n    old = 1\n    return old\n", 0),  # bound anew: not certain
        ("def f(new):\n    return new.new(old\n", 0),  # does not parse
        ("new = 1\nprint(old)\n", 0),  # not in a function
    ],
)
def test_uses_left_over_by_a_rename(text: str, uses: int) -> None:
    at = text.index("new")
    found = left_over(parsed(text), Span(at, at + 3), "old")
    assert [shown(text, span) for span in found] == ["old"] * uses
