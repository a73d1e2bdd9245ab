"""Which names of a text stand in the lines around its hole, and how far off.

What people write next mostly uses what they have just named. Names are told apart by how they stand in the
text: behind a dot, or plain; keyword arguments, names that are assigned to and words of the grammar are
neither. Knows no grammar.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence, Set
from functools import lru_cache

from model_runtime.retrieval import words

UNSEEN = 200  # lines: what stands nowhere above counts as this far
FRESH = 15  # lines in which a name is new
LINES_ABOVE, LINES_BELOW = 40, 15  # in which a whole line counts as a repetition
_NAME = re.compile(r"[^\W\d]\w*")
_WORD = re.compile(r""""[^"\n]*"?|'[^'\n]*'?|[^\W\d]\w*|\d[\w.]*|[^\w\s]""")


class Nearby:
    """The lines around a hole: those above and below its own, and its line's `head` and `tail`."""

    def __init__(self, above: Sequence[str], head: str, tail: str, below: Sequence[str]) -> None:
        self._head, self._tail = head, tail
        self._unfinished = words.unfinished(head)
        self._in_head = _names(head.removesuffix(self._unfinished))
        self._last: dict[str, int] = {}  # lines from the hole's up to the last that has a name
        self._times: dict[str, int] = {}  # lines above that have it
        for distance, line in enumerate(reversed(above), 1):
            for name in _names(line):
                self._last.setdefault(name, distance)
                self._times[name] = self._times.get(name, 0) + 1
        self._ahead = {name for line in (tail, *below) for name in _names(line)}
        self._before = [line.strip() for line in above[: -LINES_ABOVE - 1 : -1]]
        self._behind = [line.strip() for line in below[:LINES_BELOW]]

    def features(self, text: str) -> dict[str, float]:
        """Of a text in the hole, by its first line: each of the order of 1."""
        first = text.partition("\n")[0]
        goes_on = first[:1] == "_" or first[:1].isalnum()
        plain, attributes = self._used(first, goes_on)
        in_head = self._in_head if goes_on else self._in_head | {self._unfinished}
        line = (self._head + first + self._tail).strip()
        return {
            **self._distances("plain", plain, in_head),
            "plain_ahead": sum(name in self._ahead for name in plain) / max(1, len(plain)),
            "plain_fresh": max(map(self._freshness, plain), default=0.0),
            **self._distances("attribute", attributes, in_head),
            **self._typed(goes_on),
            "line_above": _nearness(line, self._before),
            "line_below": _nearness(line, self._behind),
        }

    def _typed(self, goes_on: bool) -> dict[str, float]:
        """Of what is typed of a name: whether a text goes on with it, or takes it to be whole."""
        name = self._unfinished
        stops = bool(name) and not goes_on
        known = name in words.RESERVED or name in self._in_head or name in self._last or name in self._ahead
        return {
            "goes_on": float(bool(name) and goes_on),
            "stops": stops * math.log1p(len(name)),
            "stops_unseen": float(stops and not known),
        }

    def _used(self, first: str, goes_on: bool) -> tuple[list[str], list[str]]:
        """The plain names of a text, and those behind a dot; a name that it goes on with is whole."""
        before = self._head.removesuffix(self._unfinished) if goes_on else self._head
        found = _WORD.findall((self._unfinished if goes_on else "") + first)
        plain, attributes = list[str](), list[str]()
        ahead = [*found[1:], "", ""]
        for i, (last, word) in enumerate(zip([before.rstrip()[-1:], *found], found, strict=False)):
            if not (word[0].isalpha() or word[0] == "_") or word in words.RESERVED:
                continue
            if last == ".":
                attributes.append(word)
            elif ahead[i] != "=" or ahead[i + 1] == "=":
                plain.append(word)
        return plain, attributes

    def _distances(self, kind: str, names: Sequence[str], in_head: Set[str]) -> dict[str, float]:
        lines = [0 if name in in_head else self._last.get(name, UNSEEN) for name in names]
        return {
            kind: math.log1p(len(names)),
            f"{kind}_unseen": math.log1p(lines.count(UNSEEN)),
            f"{kind}_far": math.log1p(max(lines, default=0)),
        }

    def _freshness(self, name: str) -> float:
        """1 for a name that was introduced just now, less for one that was used since."""
        return 1 / self._times[name] if self._last.get(name, UNSEEN) <= FRESH else 0.0


def _nearness(line: str, lines: Sequence[str]) -> float:
    """1 where a line repeats the first of these, less where a later one, 0 where none."""
    return 1 / (1 + lines.index(line)) if line in lines else 0.0


@lru_cache(maxsize=1 << 12)
def _names(line: str) -> frozenset[str]:
    return frozenset(_NAME.findall(line))
