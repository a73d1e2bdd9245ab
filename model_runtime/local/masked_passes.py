"""Passes of a masked-diffusion model over canvases: all of a canvas, or its holes alone, which read what is
kept of the rest (`surroundings`). Ids in, logits of the holes out; `costs` counts what was computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.diffusion.masked import Ids
from model_runtime.local.masked_canvas import Canvas, Laid
from model_runtime.local.surroundings import Surroundings
from model_runtime.network import backbone
from model_runtime.network.forward import KeyValues, LayerKV

TOGETHER = 4096  # tokens that one pass computes at most, if it has more than one row

Filled = tuple[Canvas, tuple[Ids, ...]]  # a canvas and what its holes hold


class Passes:
    """`around` None: every pass computes all of its canvases, which is exact."""

    def __init__(self, model: Any, around: Surroundings | None, *, shifted: bool) -> None:
        self._model = model
        self._around = around
        self._shifted = shifted
        self._device = model.get_input_embeddings().weight.device
        self.tokens = 0  # computed so far

    def logits(self, filled: Sequence[Filled], *, moved: bool = False) -> list[Tensor]:
        """Of each canvas's hole positions, in order: [N, V]. `moved`: a length that was not seen yet may use
        what is kept for another length."""
        laid = [canvas.lay(holes, shifted=self._shifted) for canvas, holes in filled]
        found: dict[int, Tensor] = {}
        if self._around is not None:
            kept = self._kept(filled, moved=moved)
            if moved and not kept:
                longest = max(range(len(filled)), key=lambda k: len(laid[k].ids))
                found = self._whole(filled, laid, [longest])
                kept = self._kept(filled, moved=True)
                kept.pop(longest, None)
            for group in _alike({k: len(kv) for k, kv in kept.items()}):
                for part in _parts(group, [len(laid[k].fresh) for k in group]):
                    found |= self._holes(laid, part, [kept[k] for k in part])
        rest = [k for k in range(len(filled)) if k not in found]
        for part in _parts(rest, [len(laid[k].ids) for k in rest]):
            found |= self._whole(filled, laid, part)
        return [found[k] for k in range(len(filled))]

    def _kept(self, filled: Sequence[Filled], *, moved: bool) -> dict[int, KeyValues]:
        assert self._around is not None
        found = {k: self._around.get(c, _lengths(holes), moved=moved) for k, (c, holes) in enumerate(filled)}
        return {k: kv for k, kv in found.items() if kv is not None}

    def _whole(
        self, filled: Sequence[Filled], laid: Sequence[Laid], rows: Sequence[int]
    ) -> dict[int, Tensor]:
        """All positions of some rows, padded to the longest."""
        lengths = [len(laid[k].ids) for k in rows]
        width = max(lengths)
        ids = self._stacked([laid[k].ids for k in rows], width)
        positions = torch.arange(width, device=self._device).expand(len(rows), -1)
        real = positions < torch.tensor(lengths, device=self._device)[:, None]
        kv = KeyValues()
        hidden = backbone.run(self._model, ids, positions, real[:, None, None].expand(-1, 1, width, -1), kv)
        self.tokens += sum(lengths)
        if self._around is not None:
            for row, k in enumerate(rows):
                canvas, holes = filled[k]
                self._around.put(canvas, _lengths(holes), laid[k], kv, row)
        return {k: self._read(hidden[row], laid[k], laid[k].fresh) for row, k in enumerate(rows)}

    def _holes(
        self, laid: Sequence[Laid], rows: Sequence[int], kept: Sequence[KeyValues]
    ) -> dict[int, Tensor]:
        """The fresh positions of some rows, all of which have as many kept ones."""
        lengths = [len(laid[k].fresh) for k in rows]
        width, past = max(lengths), len(kept[0])
        ids = self._stacked([[laid[k].ids[at] for at in laid[k].fresh] for k in rows], width)
        positions = self._stacked([laid[k].fresh for k in rows], width)
        real = torch.arange(width, device=self._device) < torch.tensor(lengths, device=self._device)[:, None]
        seen = F.pad(real, (past, 0), value=True)[:, None, None].expand(-1, 1, width, -1)
        kv = KeyValues(
            [
                LayerKV(torch.cat([x.keys for x in layers]), torch.cat([x.values for x in layers]))
                for layers in zip(*(each.layers for each in kept), strict=True)
            ]
        )
        hidden = backbone.run(self._model, ids, positions, seen, kv)
        self.tokens += sum(lengths)
        return {k: self._read(hidden[row], laid[k], range(width)) for row, k in enumerate(rows)}

    def _read(self, hidden: Tensor, laid: Laid, fresh: Sequence[int]) -> Tensor:
        """`hidden` [T, H] of a row; `fresh`: where in it the fresh positions are."""
        at = torch.tensor([fresh[n] for n in laid.read], dtype=torch.long, device=self._device)
        return backbone.logits(self._model, hidden[at])

    def _stacked(self, rows: Sequence[Sequence[int]], width: int) -> Tensor:
        return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=self._device)


def _lengths(holes: Sequence[Ids]) -> tuple[int, ...]:
    return tuple(map(len, holes))


def _alike(lengths: dict[int, int]) -> list[list[int]]:
    """Rows by their value."""
    return [[k for k, n in lengths.items() if n == value] for value in sorted(set(lengths.values()))]


def _parts(rows: Sequence[int], costs: Sequence[int]) -> Iterator[list[int]]:
    """Rows in batches of at most `TOGETHER` tokens each, padding included, or of one row."""
    part: list[int] = []
    most = 0
    for row, cost in zip(rows, costs, strict=True):
        most = max(most, cost)
        if part and most * (len(part) + 1) > TOGETHER:
            yield part
            part, most = [], cost
        part.append(row)
    if part:
        yield part
