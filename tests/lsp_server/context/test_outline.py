from __future__ import annotations

import pytest

from lsp_server.context import outline

PYTHON = '''import os
from sys import (
    argv,
)

LIMIT = 3


def first(a, b=1):
    """What it does.

    More.
    """


# About the second.
async def second(
    one,
    two,
) -> int:
    return 1


class Third(Base):
    r"""Raw."""

    @property
    def fourth(self): return 1
'''


def test_python() -> None:
    made = outline.of("k", "py", PYTHON, whole=True, stamp=(1, 2))
    assert (made.key, made.language, made.stamp, made.text) == ("k", "python", (1, 2), PYTHON)
    assert made.imports == "import os\nfrom sys import (\n    argv,\n)"
    assert [(each.name, each.text) for each in made.signatures] == [
        ("first", "def first(a, b=1):  # What it does."),
        ("second", "async def second( one, two, ) -> int:  # About the second."),
        ("Third", "class Third(Base):  # Raw."),
        ("fourth", "def fourth(self):"),
    ]


def test_a_signature_with_a_secret_is_left_out() -> None:
    text = 'def a(password="s3cr3t-Value"): ...\ndef b():\n    """password: s3cr3t-Value1"""\ndef c(): ...\n'
    made = outline.of("k", "python", text, whole=False)
    assert [each.name for each in made.signatures] == ["c"]
    assert made.text is None


@pytest.mark.parametrize(
    "text", ["", "def", "\r\n\r", "def é(a):\n  'ü'", "((((", "class A:\n", "\ud800 = 1", "\0"]
)
def test_odd_text_is_no_trouble(text: str) -> None:
    outline.of("k", "python", text, whole=True)


def test_a_language_without_a_grammar_has_text_only() -> None:
    made = outline.of("k", "cobol", "MOVE A TO B\n", whole=True)
    assert (made.signatures, made.imports, made.text) == ((), "", "MOVE A TO B\n")
