from __future__ import annotations

import time

import pytest

from lsp_server.text import symbols
from lsp_server.text.languages import by_id
from lsp_server.text.symbols import Definition
from lsp_server.text.syntax import Syntax, parse


def parsed(text: str, language_id: str) -> Syntax:
    language = by_id(language_id)
    assert language
    syntax = parse(text, language)
    assert syntax
    return syntax


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", 'def é(a):\n    """Doc."""\n', [Definition("é", "def é(a):\n    ", '"""Doc."""')]),
        ("python", "# So.\nclass A:\n    x = 1\n", [Definition("A", "class A:\n    ", "# So.")]),
        ("python", "# Far.\n\n\nclass A:\n    x = 1\n", [Definition("A", "class A:\n    ", "")]),
        ("python", "LIMIT = 1\n", []),  # constants are left out
        ("javascript", "// So.\nfunction f(a) { g() }\n", [Definition("f", "function f(a) ", "// So.")]),
        ("typescript", "interface A { b: number }\n", [Definition("A", "interface A ", "")]),
        ("rust", "fn f() -> u8 { 1 }\n", [Definition("f", "fn f() -> u8 ", "")]),
        ("json", '{"a": 1}', []),  # has no tag query
    ],
)
def test_definitions(language: str, text: str, expected: list[Definition]) -> None:
    assert list(symbols.definitions(parsed(text, language))) == expected


def test_a_long_text_of_which_nothing_parses_defines_nothing() -> None:
    """Looking for its definitions took the square of its length: ten seconds for 200,000 characters."""
    began = time.process_time()
    assert list(symbols.definitions(parsed(":" * 199_000, "cpp"))) == []
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "import a\nx = 1\nfrom b import (\n    c,\n)\n", "import a\nfrom b import (\n    c,\n)"),
        ("python", "def f():\n    import a\n", ""),  # at the top level only
        ("rust", "use a::b;\nfn f() {}\n", "use a::b;"),
        ("c", "#include <a.h>\nint x;\n", "#include <a.h>"),
    ],
)
def test_imports(language: str, text: str, expected: str) -> None:
    assert symbols.imports(parsed(text, language)) == expected


NESTED = "def f():\n    far()\n    if a:\n        near()\n        x = |1\n"
FAR = "def g():\n    far()\n\n" + "x = 1\n" * 50


@pytest.mark.parametrize(
    ("marked", "reach", "expected"),
    [
        ("def f():\n    a(1)\n    b(2)\n    |\n    c(3)\n", 400, ("c", "b", "a")),
        ("def f():\n    a(1)\n    a(2)\n    x = |1\n", 400, ("a",)),  # each once
        (FAR + "def f():\n    near()\n    x = |1\n", 60, ("near",)),
        (FAR + "near()\n|\n", 60, ("near",)),  # at the top level, by distance
        (NESTED, 400, ("near", "far")),
        (NESTED, 30, ("near",)),  # the inner block only
        ("x = |1\n", 400, ()),
    ],
)
def test_calls_near_a_place(marked: str, reach: int, expected: tuple[str, ...]) -> None:
    at, text = marked.index("|"), marked.replace("|", "")
    assert symbols.calls(parsed(text, "python"), at, reach) == expected
