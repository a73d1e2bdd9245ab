"""Renames that are followed, from a rename that is typed."""

from __future__ import annotations

import pytest

from tests.support.typist import Typing

FUNCTION = """\
class Shop:
    def sell(self, count: int, price=1):
        if count < 0:
            raise ValueError(count)
        total = count * price
        self.count = price
        record(count=total)
        # count
        return f"{count} sold"


def other(count):
    return count
"""


def test_a_parameter_and_its_uses() -> None:
    it = Typing(FUNCTION)
    it.retype(1, 19, "count", "amount")
    lines = [(2, 11), (3, 29), (4, 16), (8, 18)]
    assert it.next_edits() == [(*place, "amount") for place in lines]
    line, column, new = it.next_edits()[0]
    it.change((line, column), (line, column + len("count")), new)  # accepted
    assert it.next_edits() == [(*place, "amount") for place in lines[1:]]
    it.change((0, 0), (0, 0), "import os\n\n")  # lines move
    assert it.next_edits() == [(line + 2, column, "amount") for line, column in lines[1:]]
    it.change((3, 41), (3, 41), "\n")  # a line opened below the rename
    assert len(it.next_edits()) == 3
    it.retype(3, 19, "amount", "count")  # taken back: what followed is not undone, and nothing is done again
    assert it.next_edits() == []


def test_a_local_variable() -> None:
    it = Typing(FUNCTION)
    it.retype(4, 8, "total", "cost")
    assert it.next_edits() == [(6, 21, "cost")]


@pytest.mark.parametrize(
    ("text", "line", "column", "old", "new"),
    [
        ("def f(a):\n    b = a\n    return b\n", 1, 8, "a", "c"),  # a use, not a binding
        ("def f(a, b):\n    return a + b\n", 0, 6, "a", "b"),  # the new name is another's
        ("def f(a):\n    a = 1\n    return a\n", 0, 6, "a", "b"),  # the old name is bound again
        ("def f():\n    for a in x:\n        a = 1\n    return a\n", 2, 8, "a", "b"),
        ("def f(a):\n    return [a for a in x]\n", 0, 6, "a", "b"),
        ("def f(a):\n    return g(a=1).a\n", 0, 6, "a", "b"),  # other things of the same name
        ("def f(a):\n    return 'a'  # a\n", 0, 6, "a", "b"),
        ("def f(a, c=a):\n    return c\n", 0, 6, "a", "b"),  # a default belongs outside
        ("def f(a):\n    return (a\n", 0, 6, "a", "b"),  # does not parse
        ("class A:\n    a = 1\n    b = a\n", 1, 4, "a", "c"),
        ("def f():\n    b = a\n    a = 2\n", 2, 4, "a", "c"),  # used before, not after
        ("def a():\n    return 1\n", 0, 4, "a", "b"),
    ],
)
def test_quiet_where_it_is_not_certain(text: str, line: int, column: int, old: str, new: str) -> None:
    it = Typing(text)
    it.retype(line, column, old, new)
    assert it.next_edits() == []


# Language, text, place of the name, old and new name, places of the uses.
LANGUAGES: list[tuple[str, str, tuple[int, int], str, str, list[tuple[int, int]]]] = [
    ("javascript", "function f(n) {\n  return g(n).n + n;\n}\n", (0, 11), "n", "m", [(1, 11), (1, 18)]),
    ("javascript", "const f = (n) => {\n  o = {n: n};\n};\n", (0, 11), "n", "m", [(1, 10)]),
    ("javascript", "function f() {\n  const n = 1;\n  k(() => n);\n}\n", (1, 8), "n", "m", [(2, 10)]),
    ("javascript", "function f(n) {\n  return {n};\n}\n", (0, 11), "n", "m", []),  # the property would change
    ("javascript", "function f(n) {\n  const {n} = x;\n  return n;\n}\n", (0, 11), "n", "m", []),
    ("javascript", "function f(n) {\n  k(n => n);\n}\n", (0, 11), "n", "m", []),  # bound again
    ("javascript", "class A {\n  f(n) {\n    this.n = n;\n  }\n}\n", (1, 4), "n", "m", [(2, 13)]),
    ("typescript", "function f(n: number, k?: n) {\n  return n;\n}\n", (0, 11), "n", "m", [(1, 9)]),
    ("typescriptreact", "function F(n: T) {\n  return <A b={n} />;\n}\n", (0, 11), "n", "m", [(1, 15)]),
    ("go", "func f(n int) int {\n\tx := n + s.n\n\treturn n\n}\n", (0, 7), "n", "m", [(1, 6), (2, 8)]),
    ("go", "func f() {\n\tn, k := g()\n\th(n, k)\n}\n", (1, 1), "n", "m", [(2, 3)]),
    ("go", "func f(n int) {\n\tn := 1\n\tg(n)\n}\n", (0, 7), "n", "m", []),
    ("go", "func f(n int) T {\n\treturn T{n: n}\n}\n", (0, 7), "n", "m", []),  # a field, or the name
    ("rust", "fn f(n: u8) -> u8 {\n    g(n, a.n)\n}\n", (0, 5), "n", "m", [(1, 6)]),
    ("rust", "fn f() {\n    let mut n = 1;\n    n += 1;\n}\n", (1, 12), "n", "m", [(2, 4)]),
    ("rust", "fn f(n: u8) -> T {\n    T { n }\n}\n", (0, 5), "n", "m", []),
    ("rust", "fn f(n: u8) {\n    let n = n + 1;\n    g(n);\n}\n", (0, 5), "n", "m", []),
    ("java", "class A { int f(int n) {\n  return n + n() + this.n;\n} }\n", (0, 20), "n", "m", [(1, 9)]),
    ("java", "class A { void f() {\n  int n = 1;\n  g(x -> n);\n} }\n", (1, 6), "n", "m", [(2, 9)]),
    ("java", "class A { void f(int n) {\n  g(n -> n);\n} }\n", (0, 21), "n", "m", []),
    ("ruby", "def f(n)\n  n\nend\n", (0, 6), "n", "m", []),  # no entry
]


@pytest.mark.parametrize(("language", "text", "at", "old", "new", "uses"), LANGUAGES)
def test_other_languages(
    language: str, text: str, at: tuple[int, int], old: str, new: str, uses: list[tuple[int, int]]
) -> None:
    it = Typing(text, language)
    it.retype(*at, old, new)
    assert it.next_edits() == [(*use, new) for use in uses]


def test_augmented_assignment_is_a_use() -> None:
    it = Typing("def f():\n    n = 0\n    n += 1\n    return n\n")
    it.retype(1, 4, "n", "sum_😀"[:3])
    assert it.next_edits() == [(2, 4, "sum"), (3, 11, "sum")]


def test_columns_behind_wide_characters() -> None:
    it = Typing("def f(n):\n    return '😀注' + n\n")
    it.retype(0, 6, "n", "m")
    assert it.next_edits() == [(1, 18, "m")]


def test_the_use_nearest_to_the_cursor_comes_first() -> None:
    it = Typing("def f(n):\n    a(n)\n    b(n)\n    return n\n")
    it.retype(0, 6, "n", "m")
    assert [line for line, _, _ in it.next_edits(2, 4)] == [2, 1, 3]


# The same, of names that a file defines or imports.
FILES: list[tuple[str, str, tuple[int, int], str, str, list[tuple[int, int]]]] = [
    (
        "python",
        "def old(a):\n    return a\n\n\nold(1) + it.old(old=2)\n# old\n",
        (0, 4),
        "old",
        "new",
        [(4, 0)],
    ),
    ("python", "LIMIT = 1\nx = LIMIT\n", (0, 0), "LIMIT", "MOST", [(1, 4)]),
    ("python", "from m import old\n\nx = old()\n", (0, 14), "old", "new", [(2, 4)]),
    ("python", "from m import a as old\n\nx = old()\n", (0, 19), "old", "new", [(2, 4)]),
    (
        "python",
        "def f(old):\n    return old\n\n\nold = 1\nx = old\n",
        (4, 0),
        "old",
        "new",
        [],
    ),  # two of the name
    (
        "python",
        "class A:\n    def old(self):\n        self.old(b.old)\n\n\nold()\n",
        (1, 8),
        "old",
        "new",
        [(2, 13)],
    ),
    ("typescript", "function old() {}\nold();\nx.old();\n", (0, 9), "old", "fresh", [(1, 0)]),
    ("typescript", "import { old } from 'm';\nold();\n", (0, 9), "old", "fresh", [(1, 0)]),
    (
        "typescript",
        "class A {\n  old() {}\n  b() { this.old(c.old); }\n}\n",
        (1, 2),
        "old",
        "fresh",
        [(2, 13)],
    ),
    ("go", "func old() {}\n\nfunc g() {\n\told()\n\tx.old()\n}\n", (0, 5), "old", "fresh", [(3, 1)]),
    ("rust", "fn old() {}\n\nfn g() {\n    old();\n    x.old();\n}\n", (0, 3), "old", "fresh", [(3, 4)]),
]


@pytest.mark.parametrize(("language", "text", "at", "old", "new", "uses"), FILES)
def test_names_of_a_file(
    language: str, text: str, at: tuple[int, int], old: str, new: str, uses: list[tuple[int, int]]
) -> None:
    it = Typing(text, language)
    it.retype(*at, old, new)
    assert it.next_edits() == [(*use, new) for use in uses]
