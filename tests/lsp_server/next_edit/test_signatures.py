"""Calls that follow a change of their function's parameters."""

from __future__ import annotations

import pytest

from tests.support.typist import Typing

RENAMED = "def f(a, size=1):\n    return size + a\n\n\nx = f(1, size=2)\ny = it.f(size=size)\nz = g(size=3)\n"


def test_a_renamed_parameter_is_renamed_as_a_keyword() -> None:
    it = Typing(RENAMED)
    it.retype(0, 9, "size", "width")
    assert it.next_edits() == [(1, 11, "width")]  # first where it is used
    it.change((1, 11), (1, 15), "width", after=60)
    assert it.next_edits() == [(4, 9, "width"), (5, 9, "width")]


@pytest.mark.parametrize(
    ("language", "text", "at", "typed", "expected"),
    [
        ("python", "def f(a):\n    pass\n\n\ndef g(size):\n    f(1)\n", (0, 7), ", size", [(5, 7, ", size")]),
        ("python", "def f(a):\n    pass\n\n\ndef g(size):\n    f(1)\n", (0, 6), "size, ", [(5, 6, "size, ")]),
        (
            "python",
            "def f(a):\n    pass\n\n\ndef g(size):\n    f(a=1)\n",
            (0, 7),
            ", size",
            [(5, 9, ", size=size")],
        ),
        ("python", "def f():\n    pass\n\n\ndef g(size):\n    f()\n", (0, 6), "size", [(5, 6, "size")]),
        (
            "python",
            "def f(a):\n    pass\n\n\ndef g(b):\n    f(1)\n",
            (0, 7),
            ", size",
            [],
        ),  # what would it pass?
        (
            "python",
            "def f(a):\n    pass\n\n\ndef g(size):\n    f(1)\n",
            (0, 7),
            ", size=1",
            [],
        ),  # it need not
        (
            "python",
            "def f(a):\n    pass\n\n\ndef g(size):\n    f(1, 2)\n",
            (0, 7),
            ", size",
            [],
        ),  # has it already
        ("python", "def f(a):\n    pass\n\n\nf(1)\n", (0, 7), ", size", []),  # outside of functions
        ("go", "func f(a T) {}\n\nfunc g(b T) {\n\tf(b)\n}\n", (0, 10), ", b ...T", []),
        (
            "go",
            "func f(a int) {}\n\nfunc g(size int) {\n\tf(1)\n}\n",
            (0, 12),
            ", size int",
            [(3, 4, ", size")],
        ),
        (
            "typescript",
            "function f(a: X) {}\nfunction g(size: Y) {\n  f(1);\n}\n",
            (0, 15),
            ", size: Y",
            [(2, 5, ", size")],
        ),
        ("typescript", "function f(a: X) {}\nfunction g(size: Y) {\n  f(1);\n}\n", (0, 15), ", size?: Y", []),
    ],
)
def test_an_added_parameter(
    language: str, text: str, at: tuple[int, int], typed: str, expected: list[tuple[int, int, str]]
) -> None:
    it = Typing(text, language)
    for number, character in enumerate(typed):
        it.change((at[0], at[1] + number), (at[0], at[1] + number), character)
    assert it.next_edits() == expected
