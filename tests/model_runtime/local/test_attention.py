"""What may be seen, against the rules spelt out one position at a time."""

from __future__ import annotations

import pytest
import torch

from model_runtime.local.attention import CanvasView, tree_masks
from model_runtime.network.forward import FULL, SLIDING, KeyValues, LayerKV
from model_runtime.network.memory_budget import BUCKET


@pytest.mark.parametrize(
    ("cached", "parents", "window"),
    [
        (0, [-1, 0, 1], 8),
        (5, [-1, 0], 3),
        (4, [-1, 0, 1, 0, 3, 4], 8),  # two branches behind one head
        (4, [-1, 0, 1, 2, 1, 4, 0], 2),  # a branch that divides
    ],
)
def test_masks_of_a_tree(cached: int, parents: list[int], window: int) -> None:
    def line(token: int) -> list[int]:
        return [] if token < 0 else [*line(parents[token]), token]

    count = len(parents)
    ends = torch.tensor([1 + max(k for k in range(count) if token in line(k)) for token in range(count)])
    offsets = [cached - 1 + len(line(token)) for token in range(count)]
    masks = tree_masks(cached, ends, torch.tensor(offsets), window)
    for kind, reach in ((FULL, cached + count + 1), (SLIDING, window)):
        expected = [
            [here - reach < at for at in range(cached)]
            + [key in line(token) and here - reach < offsets[key] for key in range(count)]
            for token, here in enumerate(offsets)
        ]
        assert masks[kind].tolist() == [[expected]]


def kv(tokens: int) -> KeyValues:
    """Keys that say where they stand, in a sliding and in a full layer."""
    where = torch.arange(1, tokens + 1, dtype=torch.float).reshape(1, 1, tokens, 1)
    return KeyValues([LayerKV(where, -where), LayerKV(where, -where)])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("tokens", [0, 1, 7, 8, 9, BUCKET, BUCKET + 1])
def test_a_canvas_sees_the_window_and_all_of_a_full_layer(tokens: int, padded: bool) -> None:
    width, window = 3, 8
    view = CanvasView.of(kv(tokens), [SLIDING, FULL], window, width, padded=padded).rows(2)
    for layer, kind, first in zip(
        view.kv.layers, (SLIDING, FULL), (max(0, tokens - window + 1), 0), strict=True
    ):
        expected = list(range(first + 1, tokens + 1))
        found, mask = layer.keys, view.masks[kind]
        assert found.shape[0] == 2
        assert found.data_ptr() == layer.keys[1].data_ptr(), "rows share memory"
        assert torch.equal(layer.values, -found)
        if not padded:
            assert mask is None
            assert found[1].flatten().tolist() == expected
            continue
        assert mask is not None
        assert found.shape[2] % BUCKET == 0
        assert mask.shape == (1, 1, width, found.shape[2] + width)
        for query in mask[0, 0]:
            assert found[1].flatten()[query[:-width]].tolist() == expected
            assert query[-width:].all(), "a canvas sees all of itself"
