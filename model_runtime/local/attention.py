"""What tokens may attend to: the masks of new prompt tokens, and a canvas's view of its prompt.

Pure tensors: knows no model, no cache and no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.network import forward
from model_runtime.network.forward import FULL, SLIDING
from model_runtime.network.memory_budget import BUCKET


def tree_masks(cached: int, ends: Tensor, positions: Tensor, window: int) -> dict[str, Tensor]:
    """Causal masks [1, 1, N, cached + N] of N new tokens over `cached` ones and themselves.

    The new tokens are a tree, each before those that follow it: token k is seen by itself and by the tokens
    before `ends` [N] of k. A sliding layer sees the newest `window` positions."""
    known = torch.arange(cached, device=positions.device)
    key = torch.cat([known, positions])
    number = torch.arange(len(ends), device=positions.device)
    below = (number[:, None] >= number) & (number[:, None] < ends)
    causal = torch.cat([below.new_ones(len(ends), cached), below], dim=1)
    sliding = causal & (key > positions[:, None] - window)
    return {FULL: causal[None, None], SLIDING: sliding[None, None]}


@dataclass(frozen=True)
class CanvasView:
    """The prompt as every row of a batch of canvases sees it."""

    kv: forward.KeyValues
    masks: dict[str, Tensor | None]  # by layer type

    @staticmethod
    def of(
        kv: forward.KeyValues, layer_types: Sequence[str], window: int, width: int, *, padded: bool
    ) -> CanvasView:
        """For one row of `width` tokens: all of a full layer, the newest window - 1 tokens of a sliding one.

        `padded`: filled up to a multiple of `BUCKET` tokens and masked there, so that shapes repeat."""
        view = forward.KeyValues()
        masks: dict[str, Tensor | None] = {}
        for kind, layer in zip(layer_types, kv.layers, strict=True):
            first = max(0, len(kv) - (window - 1)) if kind == SLIDING else 0
            keys, values = layer.keys[:, :, first:], layer.values[:, :, first:]
            masks[kind] = None
            if padded:
                seen = keys.shape[2]
                padding = -seen % BUCKET
                keys, values = F.pad(keys, (0, 0, 0, padding)), F.pad(values, (0, 0, 0, padding))
                where = torch.arange(seen + padding + width, device=keys.device)
                masks[kind] = ((where < seen) | (where >= seen + padding)).expand(1, 1, width, -1)
            view.layers.append(forward.LayerKV(keys, values))
        return CanvasView(view, masks)

    def rows(self, n: int) -> CanvasView:
        """For n rows; nothing is copied."""
        layers = [
            forward.LayerKV(x.keys[:1].expand(n, -1, -1, -1), x.values[:1].expand(n, -1, -1, -1))
            for x in self.kv.layers
        ]
        return CanvasView(forward.KeyValues(layers), self.masks)
