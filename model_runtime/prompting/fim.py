"""Fill-in-the-middle order (arXiv 2207.14255): what follows a hole stands before the missing text, so that a
causal model has it in sight.

Nothing marks the prefix, so that its keys and values also serve what is in the text's own order. Its last
tokens come after what follows, so that the missing text goes on from them as it does in the text's own order
(the paper's second order, SPM, but for all that may be cached). Knows ids, not text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MiddleLast:
    """prompt <suffix> what follows the hole <middle> end of the prompt, head, missing text <end>."""

    suffix: int  # ids
    middle: int
    end: int
    most: int  # tokens of what follows that are shown
    near: int  # tokens of the prompt that come after it

    def question(
        self, prompt: Sequence[int], head: Sequence[int], following: Sequence[int]
    ) -> tuple[Sequence[int], list[int]]:
        """(the beginning of the prompt, what comes after it), to be continued by the missing text. The
        prompt's first token always stays where it is."""
        cut = max(1, len(prompt) - self.near)
        return prompt[:cut], [self.suffix, *following[: self.most], self.middle, *prompt[cut:], *head]
