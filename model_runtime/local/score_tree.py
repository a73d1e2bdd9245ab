"""Texts after one prompt as a tree: where they begin alike, their tokens are there once.

Knows ids, no tensors and no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ScoreTree:
    """Tokens in an order in which those that follow a token come right after it. The last token of a text is
    no node, since nothing is asked about what comes after it."""

    ids: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)  # of each token, 0 for the first
    ends: list[int] = field(default_factory=list)  # for each token, the first one that is no more below it
    nodes: dict[tuple[int, ...], int] = field(default_factory=dict)  # text from the start -> its last token

    @staticmethod
    def of(head: Sequence[int], texts: Iterable[Sequence[int]]) -> ScoreTree:
        """`head`: at least one token, with which all texts begin."""
        tree = ScoreTree()
        stem = tuple(head)
        for text in sorted({stem, *((*stem, *text[:-1]) for text in texts)}):
            for length in range(1, len(text) + 1):
                if text[:length] not in tree.nodes:
                    tree.nodes[text[:length]] = len(tree.ids)
                    tree.ids.append(text[length - 1])
                    tree.depths.append(length - 1)
        for at, depth in enumerate(tree.depths):
            below = (k for k in range(at + 1, len(tree.ids)) if tree.depths[k] <= depth)
            tree.ends.append(next(below, len(tree.ids)))
        return tree

    def before(self, head: Sequence[int], text: Sequence[int]) -> list[int]:
        """For each token of a text, the token that it follows."""
        whole = (*head, *text)
        return [self.nodes[whole[: len(head) + k]] for k in range(len(text))]
