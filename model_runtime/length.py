"""How long is the hole: where its text ends inside the slot it was given.

The embedded model was trained to end a hole with filler up to its slack length, so the first filler
ends it. A hole without one is cut off: its text may stop in the middle of a word.
"""

from __future__ import annotations

from collections.abc import Sequence


def text_length(ids: Sequence[int], gap: int) -> tuple[int, bool]:
    """(tokens before the first filler, whether there was one)."""
    for n, token in enumerate(ids):
        if token == gap:
            return n, True
    return len(ids), False
