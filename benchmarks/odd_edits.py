"""The client's side of benchmarks/fuzz_edits.py: a document as an editor has it, edited, undone and redone.

The text is kept as a plain string, so that it says what the server's must be. Everything follows from the
random generator that is given.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from lsp_server.session.session import Change
from lsp_server.text.positions import Encoding

Place = tuple[int, int]  # line, character in units of the encoding

TEXTS = [
    "",
    "x",
    "import os\n\n\ndef total(items):\n    found = \n    return found\n",
    "def f(a):\r\n    return a.\r\n\r\nclass A:\r\n    é😀 = f(\r\n",
    "a\rb\r\n\rc\n",
    "```python\nx = \n```\n",
    "(((((" * 50,
    "\ufeff# a\x0cb\u2028c\x85d\n\0x = ",
    "table = [\n" + "    (1, 'one'),\n" * 400,
    "x = '" + "a" * 30_000,
]
INSERTED = [
    *(
        "a",
        "x",
        ".",
        "(",
        ")",
        "()",
        '""',
        " ",
        "    ",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\n    ",
        "return ",
        "found",
        ":",
        "#",
    ),
    *(" = ", "\n    x = ", "\n    if ", "\n    self.", "\n    found = fo"),
    *("é", "😀", "\u2028", "\x0c", "e\u0301", "\0", "def g():\n    pass\n", "x" * 3_000),
]
_LINE_END = re.compile(r"\r\n|\n|\r")


class Document:
    def __init__(self, rng: random.Random, encoding: Encoding) -> None:
        self.rng, self.encoding = rng, encoding
        self.text = rng.choice(TEXTS)
        self.version = 1
        self._past: list[str] = []
        self._future: list[str] = []

    def changes(self) -> list[Change]:
        """A change as an editor sends it, already made here."""
        kind = self.rng.random()
        if kind < 0.55:
            found = [self._typed()]
        elif kind < 0.65:
            found = [self._typed() for _ in range(self.rng.randrange(4))]
        elif kind < 0.75:
            self._remember()
            self.text = self.rng.choice(TEXTS)
            found: list[Change] = [(None, self.text)]
        else:
            stack, other = (self._past, self._future) if kind < 0.9 else (self._future, self._past)
            if not stack:
                return self.changes()
            other.append(self.text)
            found = [self._towards(stack.pop())]
        self.version += self.rng.choice([1, 1, 1, 7])
        return found

    def cursor(self) -> Place:
        """Mostly where something was typed last."""
        at = self._last if self.rng.random() < 0.7 else self.rng.randrange(len(self.text) + 1)
        line, character = self.place(min(at, len(self.text)))
        return (
            (line, character) if self.rng.random() < 0.95 else (line + self.rng.choice([0, 1, 9_999]), 9_999)
        )

    _last = 0  # offset

    def _typed(self) -> Change:
        self._remember()
        start = self._last if self.rng.random() < 0.6 else self.rng.randrange(len(self.text) + 1)
        start = min(start, len(self.text))
        end = (
            start if self.rng.random() < 0.6 else min(len(self.text), start + self.rng.choice([1, 2, 9, 400]))
        )
        new = self.rng.choice(INSERTED) if self.rng.random() < 0.85 else ""
        return self._replaced(start, end, new)

    def _towards(self, text: str) -> Change:
        """Undo or redo: the smallest change to that text, or all of it at once."""
        if self.rng.random() < 0.3:
            self.text = text
            return None, text
        start = next(
            (i for i, (a, b) in enumerate(zip(self.text, text, strict=False)) if a != b),
            min(len(self.text), len(text)),
        )
        rest = min(len(self.text), len(text)) - start
        same = next((i for i in range(rest) if self.text[-1 - i] != text[-1 - i]), rest)
        return self._replaced(start, len(self.text) - same, text[start : len(text) - same])

    def _replaced(self, start: int, end: int, new: str) -> Change:
        start, end = self._outside_line_ends(start), self._outside_line_ends(end)
        places = self.place(start), self.place(end)
        self.text, self._last = self.text[:start] + new + self.text[end:], start + len(new)
        return (places if self.rng.random() < 0.95 else (places[1], places[0])), new

    def _outside_line_ends(self, at: int) -> int:
        """No position is between the two characters of a line end."""
        return at - 1 if self.text[at - 1 : at + 1] == "\r\n" else at

    def _remember(self) -> None:
        self._past.append(self.text)
        self._future.clear()
        del self._past[:-20]

    def place(self, offset: int) -> Place:
        line, start = 0, 0
        for end in _ends(self.text, offset):
            line, start = line + 1, end
        return line, len(self.text[start:offset].encode(_CODECS[self.encoding])) // _WIDTHS[self.encoding]

    def offset(self, place: Place) -> int:
        """Of a place that the text has."""
        starts = [0, *_ends(self.text, len(self.text))]
        codec, width = _CODECS[self.encoding], _WIDTHS[self.encoding]
        start = starts[place[0]]
        return start + len(self.text[start:].encode(codec)[: place[1] * width].decode(codec, "ignore"))


_CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


def _ends(text: str, before: int) -> Iterator[int]:
    return (found.end() for found in _LINE_END.finditer(text) if found.end() <= before)
