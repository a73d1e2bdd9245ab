"""A region in blocks between numbered marks, as Zeta 2.1 reads and writes it.

The model answers with the mark before the first line that it changes, the new text, and the mark after the
last; the same mark twice says that nothing is to be changed. Where the marks stand is part of the format: the
model has learnt it. Knows text only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

LEAST, MOST = 6, 16  # lines of a block
LOOK = 5  # lines ahead that are looked at for a good first line of a block
_MARK = re.compile(r"<\|marker_(\d+)\|>")
_TAIL = re.compile(r"[}\])].*|(?:break|continue|return|throw|end);*", re.DOTALL)


def marked(region: str, cursor: int, mark: str) -> str:
    """The region with a mark before each block and after the last, and `mark` at the cursor, an offset. Where
    both are at one place, the cursor's comes first, but for the first block's."""
    text = region[:cursor] + mark + region[cursor:] + "\n"
    places = [at + len(mark) if at and at >= cursor else at for at in _places(region)]
    blocks = [f"<|marker_{number}|>{text[a:b]}" for number, (a, b) in enumerate(pairwise(places), 1)]
    return "".join(blocks) + f"<|marker_{len(places)}|>"


def read(answer: str, region: str) -> str:
    """The region as the answer has it; as it is where that changes nothing, or has no two marks of blocks."""
    marks, places, text = list(_MARK.finditer(answer)), _places(region), region + "\n"
    numbers = [int(each[1]) for each in marks]
    if len(marks) < 2 or not 1 <= numbers[0] < numbers[-1] <= len(places):
        return region
    new = "".join(answer[a.end() : b.start()] for a, b in pairwise(marks))
    changed = text[: places[numbers[0] - 1]] + new + text[places[numbers[-1] - 1] :]
    return changed.removesuffix("\n")


def _places(region: str) -> list[int]:
    """Offsets of the marks: where each block begins, and the end."""
    lines = [line + "\n" for line in region.split("\n")]
    offsets = [0, *accumulate(map(len, lines))]
    return [offsets[line] for line in (*_starts(lines), len(lines))]


def _starts(lines: Sequence[str]) -> list[int]:
    """The first line of each block: after a blank line where both blocks are long enough, or where a block
    would get too long; then at the next line that does not end something."""
    starts, at = [0], 0
    while (at := at + 1) < len(lines):
        ahead = range(at, min(at + LOOK, len(lines)))
        good = next((line for line in ahead if _is_good(lines[line].strip())), at)
        length, first_after_blank = at - starts[-1], lines[at].strip() and not lines[at - 1].strip()
        parted = first_after_blank and length >= LEAST and len(lines) - good >= LEAST
        if parted or length >= MOST:
            starts.append(at := good)
    return starts


def _is_good(line: str) -> bool:
    return bool(line) and not _TAIL.fullmatch(line)
