"""Training batches."""

from __future__ import annotations

import torch

from model_runtime.training.batches import NOISE, Batch, Mix
from model_runtime.training.vocabulary import BOS, EOS, GAP, PAD
from tests.model_runtime.training.examples import maker
from tests.support import tiny

ALL = Mix(holes=4, examples=2, context=0.5, drafts=0.5, apart=True)


def canvases(batch: Batch) -> list[tuple[int, int, slice]]:
    """(row, cut, place in the row) of each canvas."""
    rows, count = batch.cuts.shape
    width = batch.width
    return [
        (row, int(batch.cuts[row, k]), slice(k * width, (k + 1) * width))
        for row in range(rows)
        for k in range(count)
    ]


def test_a_canvas_without_its_filler_is_the_file() -> None:
    for mix, width in ((None, 96), (Mix(holes=4), 96), (ALL, 96), (ALL, 48)):
        batch = maker(mix=mix).draw(0, rows=2, canvases=6, width=width, length=256)
        for row, cut, at in canvases(batch):
            clean = [i for i in batch.canvas[row, at].tolist() if i not in (GAP, PAD, EOS)]
            before = batch.sequence[row, :cut].tolist()[-20:]
            before = before[before.index(BOS) + 1 :] if BOS in before else before
            line = tiny.tokenizer().decode(clean).strip()
            assert line in tiny.SOURCE
            if mix is not ALL:  # elsewhere text of other files may come before
                assert tiny.tokenizer().decode(before + clean).strip() in tiny.SOURCE
            assert batch.hole[row, at].any()


def test_canvases_have_several_holes_where_they_fit() -> None:
    batch = maker(mix=Mix(holes=4)).draw(0, rows=2, canvases=8, width=192, length=256)
    counts = []
    for row, _, at in canvases(batch):
        hole = batch.hole[row, at].int()
        counts.append(int((hole.diff() == 1).sum() + hole[0]))
    assert max(counts) > 2
    assert sum(count > 1 for count in counts) > len(counts) / 2
    gaps = batch.hole & (batch.canvas == GAP)
    assert (batch.filler & gaps).sum() == batch.filler.sum() < gaps.sum()


def test_pieces_of_other_files_come_before_a_document() -> None:
    batch = maker(mix=Mix(context=1.0)).draw(0, rows=8, canvases=2, width=96, length=1024)
    texts = [tiny.tokenizer().decode(row.tolist()) for row in batch.sequence]
    assert any(text.startswith(("# half.py\n", "# tiny.py\n")) for text in texts)
    for row, cut, at in canvases(batch):
        before = tiny.tokenizer().decode(batch.sequence[row, cut - 8 : cut].tolist())
        clean = [i for i in batch.canvas[row, at].tolist() if i not in (GAP, PAD, EOS)]
        text = before.rpartition(".py\n")[2] + tiny.tokenizer().decode(clean)
        assert tiny.tokenizer().decode(clean).strip() in text


def test_a_share_of_canvases_begins_with_a_draft() -> None:
    batch = maker(mix=Mix(drafts=0.5, holes=3)).draw(1, rows=2, canvases=12, width=96, length=512)
    assert batch.begin is not None
    drafted = 0
    for row, _, at in canvases(batch):
        begun = batch.begin[row, at] != NOISE
        if begun.any():
            drafted += 1
            assert torch.equal(begun, batch.hole[row, at])
            assert GAP not in batch.begin[row, at][begun][:1]
    assert 3 < drafted < 21


def test_batches_repeat_for_a_seed_and_step() -> None:
    a, b = (maker(mix=ALL).draw(3, 1, 4, 96, 256) for _ in range(2))
    assert torch.equal(a.canvas, b.canvas)
    assert torch.equal(a.sequence, b.sequence)
    assert a.examples
    assert b.examples
    assert torch.equal(a.examples.ids, b.examples.ids)
    assert not torch.equal(a.canvas, maker(mix=ALL).draw(4, 1, 4, 96, 256).canvas)
