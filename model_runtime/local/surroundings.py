"""Keys and values of what is known around the holes, kept between passes as if the holes had not changed: an
approximation, as Fast-dLLM's dual cache (arXiv 2505.22618). `None` in its place is the exact mode.

In a model with full attention what is known is computed anew in every pass, because it sees the holes. Here a
pass computes the holes alone. When a hole's length changes, all is computed once more; only where a length is
tried for the first time, or a text is scored, the keys of another length are moved instead.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from model_runtime.local.masked_canvas import Canvas, Laid
from model_runtime.network import backbone
from model_runtime.network.forward import KeyValues, LayerKV

LENGTHS = 4  # of one text's holes that are kept


class Surroundings:
    def __init__(self, model: Any) -> None:
        self._model = model
        self._known: tuple[tuple[int, ...], ...] = ()
        self._kept: OrderedDict[tuple[int, ...], KeyValues] = OrderedDict()  # by lengths of the holes

    def clear(self) -> None:
        self._known = ()
        self._kept.clear()

    def after(self, canvas: Canvas) -> int | None:
        """Number of ids after the last hole that are kept, where the ids before it are the canvas's."""
        if not self._kept or self._known[:-1] != canvas.known[:-1]:
            return None
        count = len(self._known[-1])
        return count if canvas.known[-1][:count] == self._known[-1] else None

    def get(self, canvas: Canvas, lengths: tuple[int, ...], *, moved: bool) -> KeyValues | None:
        """For holes of these lengths. `moved`: those of another length of a single hole will do."""
        if canvas.known != self._known:
            return None
        if lengths in self._kept:
            self._kept.move_to_end(lengths)
            return self._kept[lengths]
        if not moved or len(lengths) != 1 or not self._kept:
            return None
        nearest = min(self._kept, key=lambda kept: abs(kept[0] - lengths[0]))
        kv, after = self._kept[nearest], len(canvas.known[-1])
        layers = []
        for layer in kv.layers:
            cut = layer.keys.shape[2] - after
            later = backbone.moved(self._model, layer.keys[:, :, cut:], lengths[0] - nearest[0])
            layers.append(LayerKV(torch.cat([layer.keys[:, :, :cut], later], dim=2), layer.values))
        return KeyValues(layers)

    def put(self, canvas: Canvas, lengths: tuple[int, ...], laid: Laid, kv: KeyValues, row: int) -> None:
        """Keep what a whole pass computed: `kv` of all positions of the row `row` in its batch."""
        if canvas.known != self._known:
            self._kept.clear()
            self._known = canvas.known
        at = torch.tensor(laid.kept, dtype=torch.long, device=kv.layers[0].keys.device)
        self._kept[lengths] = KeyValues(
            [LayerKV(x.keys[row : row + 1, :, at], x.values[row : row + 1, :, at]) for x in kv.layers]
        )
        while len(self._kept) > LENGTHS:
            self._kept.popitem(last=False)
