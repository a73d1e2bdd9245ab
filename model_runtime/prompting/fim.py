"""Fill-in-the-middle order (arXiv 2207.14255): what follows a hole stands before the missing text, so that a
causal model has it in sight.

Nothing marks the prefix, so that its keys and values also serve what is in the text's own order. Knows ids,
not text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MiddleLast:
    """prefix <suffix> what follows the hole <middle> missing text <end>."""

    suffix: int  # ids
    middle: int
    end: int
    most: int  # tokens of what follows that are shown

    def question(self, prefix: Sequence[int], following: Sequence[int]) -> list[int]:
        """To be continued by the missing text."""
        return [*prefix, self.suffix, *following[: self.most], self.middle]
