"""What each query of a training pass attends to, arranged so that few masked scores are computed.

One mask over everything would waste most of the work: of 1024 tokens a sliding layer with a window of 256
sees a quarter, and no canvas sees another. So a sequence runs as blocks of one window each, which see
themselves and the block before. Each canvas is a row of its own, with as much of the prefix as its window
holds. A step of the embedded model took 3.4 s instead of 4.3 on two cores.

Shapes: B sequences of P tokens in N blocks, K canvases of C tokens on each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model_runtime.network.forward import FULL, SLIDING, KeyValues, LayerKV

View = tuple[KeyValues, dict[str, Tensor]]  # what queries attend to, and its masks


def block_count(length: int, window: int) -> int:
    """N: as many blocks of one window as the length is a multiple of, otherwise one block."""
    return 1 if length % window else length // window


@dataclass
class BlockKV(KeyValues):
    """Of sequences that run as blocks [B * N, P / N]. `layers` keeps whole sequences, [B, heads, P, D]."""

    types: Sequence[str] = ()
    blocks: int = 1

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: object) -> tuple[Tensor, Tensor]:
        whole = LayerKV(self._whole(keys), self._whole(values))
        self.layers.append(whole)
        if self.blocks == 1:
            return keys, values
        if self.types[layer] == FULL:
            return _repeated(whole.keys, self.blocks), _repeated(whole.values, self.blocks)
        return self._with_last(keys), self._with_last(values)

    def _whole(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, (-1, self.blocks)).transpose(1, 2).flatten(2, 3)

    def _with_last(self, rows: Tensor) -> Tensor:
        """Each block preceded by the block before it; the first by zeros, which its mask hides."""
        blocks = rows.unflatten(0, (-1, self.blocks))
        last = torch.cat([torch.zeros_like(blocks[:, :1]), blocks[:, :-1]], dim=1)
        return torch.cat([last, blocks], dim=3).flatten(0, 1)


def causal_masks(
    length: int,
    window: int,
    device: torch.device,
    blocks: int = 1,
    rows: int = 1,
    segments: Tensor | None = None,
) -> dict[str, Tensor]:
    """For each block, over the keys that `BlockKV` gives it, by layer type: [B * N, 1, P / N, keys]. With
    `segments` [B, P] a token sees those of its own segment only."""
    size = length // blocks
    query = torch.arange(length, device=device).view(blocks, 1, size, 1)
    key = torch.arange(length, device=device)
    near = key
    if blocks > 1:
        first = (torch.arange(blocks, device=device) - 1) * size
        near = (first[:, None] + torch.arange(2 * size, device=device)).view(blocks, 1, 1, -1)
    masks = {FULL: query >= key, SLIDING: (query >= near) & (near > query - window) & (near >= 0)}
    masks = {kind: mask.repeat(rows, 1, 1, 1) for kind, mask in masks.items()}
    if segments is None:
        return masks
    own = segments.view(rows, blocks, 1, size, 1)
    keys = {
        FULL: segments.view(rows, 1, 1, 1, length),
        SLIDING: segments[:, near.clamp(min=0)].view(rows, -1, 1, 1, near.shape[-1]),
    }
    return {kind: mask & (own == keys[kind]).flatten(0, 1) for kind, mask in masks.items()}


def canvas_view(
    kv: KeyValues,
    types: Sequence[str],
    cuts: Tensor,
    content: Tensor,
    window: int,
    segments: Tensor | None = None,
) -> View:
    """Keys and values [B * K, ...] that the canvases see of sequences encoded into `kv`, and masks
    [B * K, 1, 1, keys] by layer type. A canvas sees the prefix up to its cut (`cuts` [B, K]), with `segments`
    [B, P] of the token before the cut's segment only, then its own tokens where `content` [B * K, C] is
    true."""
    length, canvases = len(kv), cuts.shape[1]
    reach = min(window - 1, length)
    everything = torch.arange(length, device=cuts.device).expand(*cuts.shape, -1)
    near = cuts[..., None] - reach + torch.arange(reach, device=cuts.device)
    masks = {}
    for kind, at in ((FULL, everything), (SLIDING, near)):
        seen = (at >= 0) & (at < cuts[..., None])
        if segments is not None:
            known = segments[:, None].expand(-1, canvases, -1)
            own = known.gather(2, cuts[..., None] - 1)
            seen &= known.gather(2, at.clamp(min=0)) == own
        masks[kind] = torch.cat([seen.flatten(0, 1), content], dim=1)[:, None, None]
    take: dict[str, Callable[[Tensor], Tensor]] = {
        FULL: lambda states: _repeated(states, canvases),
        SLIDING: lambda states: _taken(states, near.clamp(min=0)),
    }
    layers = [
        LayerKV(take[kind](layer.keys), take[kind](layer.values))
        for kind, layer in zip(types, kv.layers, strict=True)
    ]
    return KeyValues(layers), masks


def in_order(view: View, size: int, window: int) -> View:
    """The view of canvases for texts of `size` tokens that go on from the sequences one token after another:
    masks are [B * K, 1, size, keys]."""
    kv, masks = view
    causal = {}
    for kind, mask in masks.items():
        query = torch.arange(size, device=mask.device)[:, None]
        key = torch.arange(mask.shape[-1], device=mask.device) - (mask.shape[-1] - size)
        ordered = key <= query  # keys of the prefix count from below zero
        causal[kind] = mask & (ordered & (key > query - window) if kind == SLIDING else ordered)
    return kv, causal


def _repeated(states: Tensor, times: int) -> Tensor:
    """[B, ...] -> [B * times, ...]."""
    return states[:, None].expand(-1, times, *states.shape[1:]).flatten(0, 1)


def _taken(states: Tensor, at: Tensor) -> Tensor:
    """The tokens `at` [B, K, R] of states [B, heads, P, D]: [B * K, heads, R, D]."""
    rows = torch.arange(len(states), device=at.device)[:, None, None]
    return states.transpose(1, 2)[rows, at].flatten(0, 1).transpose(1, 2)
