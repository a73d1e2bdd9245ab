from __future__ import annotations

import pytest

from lsp_server.infilling.hole import Hole, placeholders
from lsp_server.text.document import Snapshot
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import parse

DONE = "DONE"


def holes(text: str, language_id: str) -> tuple[Hole, ...]:
    language = by_id(language_id)
    syntax = parse(text, language) if language else None
    return placeholders(Snapshot("file:///a", 1, language_id, text), syntax, 64)


def filled(text: str, language_id: str) -> str:
    for hole in reversed(holes(text, language_id)):
        text = text[: hole.span.start] + hole.lead + DONE + hole.trail + text[hole.span.end :]
    return text


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "def f():\n    pass\n", "def f():\n    DONE\n"),
        ("python", "def f():\n    ...\n", "def f():\n    DONE\n"),
        ("python", "def f(): ...\n", "def f():\n    DONE\n"),
        ("python", "def f():\n    '''Doc.'''\n    pass\n", "def f():\n    '''Doc.'''\n    DONE\n"),
        ("python", "def f():\n    # TODO: sum\n    pass\n", "def f():\n    # TODO: sum\n    DONE\n"),
        ("python", "def f():\n    raise NotImplementedError('f')\n", "def f():\n    DONE\n"),
        ("python", "class A:\n\tdef f(self):\n\t\tpass\n", "class A:\n\tdef f(self):\n\t\tDONE\n"),
        ("python", "def f():\r\n    pass\r\n", "def f():\r\n    DONE\r\n"),
        ("python", "def f(): pass\r\n", "def f():\r\n    DONE\r\n"),
        ("python", "x = <fill> + 1\n", "x = DONE + 1\n"),
        ("python", "if a:\n    # <fill>\n    b()\n", "if a:\n    DONE\n    b()\n"),
        ("python", "é = '😀'\ndef f():\n    pass\n", "é = '😀'\ndef f():\n    DONE\n"),
        ("javascript", "function f() {}\n", "function f() {\n    DONE\n}\n"),
        ("javascript", "class A {\n  f() {\n  }\n}\n", "class A {\n  f() {\n    DONE\n  }\n}\n"),
        ("javascript", "function f() {\n  // TODO\n}\n", "function f() {\n  // TODO\n  DONE\n}\n"),
        ("javascript", "function f() {\n  throw new Error('TODO');\n}\n", "function f() {\n  DONE\n}\n"),
        ("typescript", "function f(): void {\n  // <fill>\n}\n", "function f(): void {\n  DONE\n}\n"),
        ("rust", "fn f() -> u8 {\n    todo!()\n}\n", "fn f() -> u8 {\n    DONE\n}\n"),
        ("rust", "fn f() {\n    // the sum\n    todo!()\n}\n", "fn f() {\n    // the sum\n    DONE\n}\n"),
        ("rust", "fn f() { unimplemented!(\"f\") }\n", "fn f() {\n    DONE\n}\n"),
        ("go", "func f() {\n\tpanic(\"TODO\")\n}\n", "func f() {\n\tDONE\n}\n"),
        ("go", "func f() {}\n\nfunc g() {\n\th()\n}\n", "func f() {\n\tDONE\n}\n\nfunc g() {\n\th()\n}\n"),
        ("c", "int f(void)\n{\n}\n", "int f(void)\n{\n    DONE\n}\n"),
        ("cpp", "struct A { A() : b(1) {} };\n", "struct A { A() : b(1) {} };\n"),
        ("cpp", "void f() {}\n", "void f() {\n    DONE\n}\n"),
        ("java", "class A {\n  int f() { throw new UnsupportedOperationException(); }\n}\n",
         "class A {\n  int f() {\n    DONE\n  }\n}\n"),
        ("csharp", "class A {\n    void F() {\n        throw new NotImplementedException();\n    }\n}\n",
         "class A {\n    void F() {\n        DONE\n    }\n}\n"),
        ("ruby", "def f\nend\n", "def f\n    DONE\nend\n"),
        ("ruby", "def f\n  # TODO: sum\nend\n", "def f\n  # TODO: sum\n  DONE\nend\n"),
        ("php", "<?php\nfunction f()\n{\n}\n", "<?php\nfunction f()\n{\n    DONE\n}\n"),
        ("shellscript", "f() {\n  :\n}\n", "f() {\n  DONE\n}\n"),
        ("lua", "function f()\n  error('not implemented')\nend\n", "function f()\n  DONE\nend\n"),
        ("html", "<p><fill></p>\n", "<p>DONE</p>\n"),
        ("cobol", "x = <fill>\n", "x = DONE\n"),
    ],
)  # fmt: skip
def test_what_holds_a_place(language: str, text: str, expected: str) -> None:
    assert filled(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "class A(Exception):\n    pass\n"),
        ("python", "try:\n    f()\nexcept E:\n    pass\n"),
        ("python", "def f():\n    pass\n    return 1\n"),
        ("python", "def f():\n    '''Only this.'''\n"),
        ("javascript", "const f = () => {};\n"),
        ("javascript", "class A { constructor() {} }\n"),
        ("javascript", "function f() {\n  // nothing to do\n}\n"),
        ("typescript", "interface A { f(): void }\n"),
        ("rust", "fn f() { g() }\n"),
        ("java", "interface A { int f(); }\n"),
        ("cobol", "pass\n"),
    ],
)
def test_what_is_meant(language: str, text: str) -> None:
    assert holes(text, language) == ()
