"""Cut a hole into a source file as the server would: which text is pinned, which is missing.

Training canvases and held-out test holes are both made from it. Knows text only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["end-of-line", "whole-line", "lines", "brackets", "span"]
WEIGHTS: dict[Kind, float] = {
    "end-of-line": 0.4,
    "whole-line": 0.2,
    "lines": 0.12,
    "brackets": 0.13,
    "span": 0.15,
}
_BRACKETS = re.compile(r"\(([^()\n]{1,80})\)|\[([^\[\]\n]{1,80})\]|\{([^{}\n]{1,80})\}")
_WORD_EDGE = re.compile(r"(?<=\w)(?=\W)|(?<=\W)(?=\S)")


@dataclass(frozen=True, slots=True)
class HoleCut:
    """One hole: `lines[line]` is where it starts, `head` the fixed text before it on that line,
    `middle` the missing text, `tail` the fixed text after it on its last line (no line end),
    `next_line` the index of the first whole line after it."""

    kind: Kind
    line: int
    head: str
    middle: str
    tail: str
    next_line: int


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end_of_line(lines: Sequence[str], i: int, rng: random.Random) -> HoleCut | None:
    line, first = lines[i], _indent(lines[i])
    edges = [m.start() for m in _WORD_EDGE.finditer(line) if m.start() > first]
    at = rng.choice(edges) if edges and rng.random() < 0.8 else rng.randint(first, max(first, len(line) - 1))
    return HoleCut("end-of-line", i, line[:at], line[at:], "", i + 1)


def _whole_line(lines: Sequence[str], i: int, rng: random.Random) -> HoleCut | None:
    at = _indent(lines[i]) if rng.random() < 0.9 else 0
    return HoleCut("whole-line", i, lines[i][:at], lines[i][at:], "", i + 1)


def _some_lines(lines: Sequence[str], i: int, rng: random.Random) -> HoleCut | None:
    last = i + rng.randint(1, 4)
    if last >= len(lines) or not lines[last].strip():
        return None
    at = _indent(lines[i])
    middle = "\n".join([lines[i][at:], *lines[i + 1 : last + 1]])
    return HoleCut("lines", i, lines[i][:at], middle, "", last + 1)


def _brackets(lines: Sequence[str], i: int, rng: random.Random) -> HoleCut | None:
    found = list(_BRACKETS.finditer(lines[i]))
    if not found:
        return None
    match = rng.choice(found)
    start, end = match.start() + 1, match.end() - 1
    return HoleCut("brackets", i, lines[i][:start], lines[i][start:end], lines[i][end:], i + 1)


def _span(lines: Sequence[str], i: int, rng: random.Random) -> HoleCut | None:
    line, first = lines[i], _indent(lines[i])
    start = rng.randint(first, len(line) - 1)
    end = rng.randint(start + 1, len(line))
    return HoleCut("span", i, line[:start], line[start:end], line[end:], i + 1)


CUTTERS: dict[Kind, Callable[[Sequence[str], int, random.Random], HoleCut | None]] = {
    "end-of-line": _end_of_line,
    "whole-line": _whole_line,
    "lines": _some_lines,
    "brackets": _brackets,
    "span": _span,
}


def cut_hole(lines: Sequence[str], i: int, rng: random.Random, kind: Kind | None = None) -> HoleCut | None:
    """A hole that starts on line `i`, of `kind` or one drawn by WEIGHTS; None where there is none."""
    if not lines[i].strip():
        return None
    chosen = kind or rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
    hole = CUTTERS[chosen](lines, i, rng)
    return hole if hole is not None and hole.middle.strip() else None
