"""What is kept around the holes: for which texts and lengths, and how much of it."""

from __future__ import annotations

import torch

from model_runtime.local.masked_canvas import Canvas
from model_runtime.local.surroundings import LENGTHS, Surroundings
from model_runtime.network import backbone
from model_runtime.network.forward import KeyValues, LayerKV
from tests.support import tiny_infiller

MODEL = backbone.bidirectional(tiny_infiller.model("qwen2", 40))
CANVAS = Canvas(((1, 2, 3), (4, 5)), (2,))


def put(around: Surroundings, count: int) -> None:
    laid = CANVAS.lay([(0,) * count], shifted=True)
    filled = torch.randn(1, 2, len(laid.ids), 4, generator=torch.Generator().manual_seed(count))
    around.put(CANVAS, (count,), laid, KeyValues([LayerKV(filled, filled)]), 0)


def test_what_is_computed_in_every_pass_is_not_kept() -> None:
    around = Surroundings(MODEL)
    assert around.get(CANVAS, (2,), moved=True) is None
    put(around, 2)
    kept = around.get(CANVAS, (2,), moved=False)
    assert kept
    assert len(kept) == 4  # two before the hole, as the third is read there, and two after it


def test_another_length_moves_what_comes_after_the_hole() -> None:
    around = Surroundings(MODEL)
    put(around, 2)
    assert around.get(CANVAS, (5,), moved=False) is None
    here, there = around.get(CANVAS, (2,), moved=True), around.get(CANVAS, (5,), moved=True)
    assert here
    assert there
    torch.testing.assert_close(here.layers[0].keys[:, :, :2], there.layers[0].keys[:, :, :2])
    torch.testing.assert_close(
        backbone.moved(MODEL, here.layers[0].keys[:, :, 2:], 3), there.layers[0].keys[:, :, 2:]
    )
    torch.testing.assert_close(here.layers[0].values, there.layers[0].values)


def test_the_latest_text_and_a_few_lengths() -> None:
    around = Surroundings(MODEL)
    for count in range(1, LENGTHS + 2):
        put(around, count)
    assert around.get(CANVAS, (1,), moved=False) is None
    assert around.get(CANVAS, (LENGTHS + 1,), moved=False)
    longer = Canvas((CANVAS.known[0], (4, 5, 6)), (2,))
    assert around.after(longer) == 2
    assert around.get(longer, (2,), moved=True) is None
    assert around.get(longer.cut(2), (2,), moved=False)
    assert around.after(Canvas(((9,), (4, 5)), (2,))) is None
    around.clear()
    assert around.get(CANVAS, (2,), moved=True) is None
