"""Texts as a tree: each token once, after the right one, and a subtree in one run."""

from __future__ import annotations

import pytest

from model_runtime.local.score_tree import ScoreTree

HEAD = [5, 6]


@pytest.mark.parametrize(
    ("texts", "nodes"),
    [
        ([], 2),
        ([[]], 2),
        ([[1]], 2),  # its only token is the last one, and nothing is asked about what follows it
        ([[1, 2, 3], [1, 2, 3]], 4),
        ([[1, 2, 3], [1, 2, 4, 9], [1, 7, 3], [2, 2, 2]], 8),  # 1, 12, 124, 17, 2, 22
        ([[1, 2, 3, 4], [1, 2]], 5),
        ([[6, 5, 6], [5, 6, 5]], 6),
    ],
)
def test_each_token_is_there_once_and_follows_its_own_text(texts: list[list[int]], nodes: int) -> None:
    tree = ScoreTree.of(HEAD, texts)
    assert len(tree.ids) == len(tree.depths) == len(tree.ends) == nodes

    def line(at: int) -> list[int]:
        above = [k for k in range(at + 1) if k <= at < tree.ends[k]]
        assert [tree.depths[k] for k in above] == list(range(len(above)))
        return [tree.ids[k] for k in above]

    assert len({tuple(line(at)) for at in range(nodes)}) == nodes
    for text in texts:
        before = tree.before(HEAD, text)
        assert [line(at) for at in before] == [[*HEAD, *text[:k]] for k in range(len(text))]
