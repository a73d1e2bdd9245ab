"""Retrieval of snippets: pieces of other texts in which the text before the cursor occurs too.

How they go on may be what comes next here; the worker drafts from it. The longest end of the text before the
cursor is searched first, by plain string search: half a millisecond for the texts of a folder. Knows text
only.
"""

from __future__ import annotations

from collections.abc import Sequence

LENGTHS = (120, 48, 24, 14, 8)  # characters searched for; fewer would be found anywhere
REACH = max(LENGTHS)
MOST = 8  # pieces
BEFORE, AFTER = 240, 400  # most characters of a piece before and after the place
LINES = 6  # most lines of a piece after the place


def pieces(before: str, texts: Sequence[str]) -> list[tuple[int, str]]:
    """(index of a text, piece of it) for places where a text has the end of `before`; the best last, which is
    the one where most characters before the place agree. Of places that go on with the same line there is
    one."""
    # Rest of the line at a place -> characters that agree before it, minus the text's index, the place.
    found: dict[str, tuple[int, int, int]] = {}
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
