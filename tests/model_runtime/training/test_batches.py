"""Training batches."""

from __future__ import annotations

import torch

from model_runtime.training.vocabulary import GAP, PAD
from tests.model_runtime.training.examples import maker
from tests.support import tiny


def test_a_canvas_without_its_filler_is_the_file() -> None:
    batch = maker().draw(0, rows=2, canvases=6, width=96, length=256)
    for row in range(2):
        for k in range(6):
            at = slice(k * 96, (k + 1) * 96)
            clean = [i for i in batch.canvas[row, at].tolist() if i not in (GAP, PAD, 1)]
            before = batch.sequence[row, : batch.cuts[row, k]].tolist()
            text = tiny.tokenizer().decode(before[-20:] + clean)
            assert text.strip() in tiny.SOURCE
            assert batch.hole[row, at].any()


def test_batches_repeat_for_a_seed_and_step() -> None:
    a, b = (maker().draw(3, 1, 4, 96, 128) for _ in range(2))
    assert torch.equal(a.canvas, b.canvas)
    assert not torch.equal(a.canvas, maker().draw(4, 1, 4, 96, 128).canvas)
