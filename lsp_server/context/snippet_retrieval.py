"""Where other texts say what stands before the cursor: pieces from which the worker may copy on.

Looked for by the end of what is typed, the longest end first, with plain string search: half a
millisecond for the texts of a folder. Pure text.
"""

from __future__ import annotations

from collections.abc import Sequence

LENGTHS = (120, 48, 24, 14, 8)  # characters that agree; fewer say nothing in another file
REACH = max(LENGTHS)
MOST = 8  # pieces
BEFORE, AFTER, LINES = 240, 400, 6  # a piece's characters before and after the place, and its lines after


def pieces(before: str, texts: Sequence[str]) -> list[tuple[int, str]]:
    """(which text, a piece of it) where it goes on after the same text as the end of `before`; the best
    last. What would be copied differs from piece to piece."""
    found: dict[str, tuple[int, int, int]] = {}  # what goes on -> how far it agrees, which text, place
    for length in LENGTHS:
        end = before[-length:]
        if len(end) < length or not end.strip():
            continue
        for which, text in enumerate(texts):
            at = text.find(end)
            while at >= 0 and len(found) < MOST:
                place = at + length
                rest = text[place : place + AFTER].partition("\n")[0]
                if rest not in found and text[place : place + AFTER].strip():
                    found[rest] = _agreement(before, text, place), -which, place
                at = text.find(end, at + 1)
        if len(found) == MOST:
            break
    return [(-which, _piece(texts[-which], place)) for _, which, place in sorted(found.values())]


def _agreement(before: str, text: str, place: int) -> int:
    """Characters that `before` and `text[:place]` have in common at their ends."""
    limit = min(len(before), place)
    return next((n for n in range(limit) if before[-1 - n] != text[place - 1 - n]), limit)


def _piece(text: str, place: int) -> str:
    start = max(0, place - BEFORE)
    if start:
        start = min(text.find("\n", start, place) + 1 or start, place)
    lines = text[place : place + AFTER].split("\n")[:LINES]
    return text[start:place] + "\n".join(lines)
