"""Fill-in-the-middle sequences."""

from __future__ import annotations

import torch

from model_runtime.training import fim
from model_runtime.training.batches import Mix
from model_runtime.training.vocabulary import BOS, EOS, MIDDLE, SUFFIX
from tests.model_runtime.training.examples import maker
from tests.support import tiny


def test_fim_sequences_hold_the_file() -> None:
    """Put back in order, every example is a stretch of the source; everything else is a plain stretch."""
    made = maker(mix=Mix(fim=fim.RIVAL))
    batch = made.draw(3, rows=6, canvases=0, width=96, length=512)
    assert torch.equal(batch.sequence, made.draw(3, 6, 0, 96, 512).sequence)
    assert batch.sequence.shape == (6, 512)
    assert batch.cuts.shape == (6, 0)
    decode, permuted, plain = tiny.tokenizer().decode, 0, 0
    for row in batch.sequence.tolist():
        starts = [i for i, token in enumerate(row) if token == BOS]
        assert starts[0] == 0
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
            piece = row[start + 1 : end]
            if SUFFIX not in piece:
                plain += 1
                assert decode(piece) in tiny.SOURCE
                continue
            permuted += 1
            suffix, middle = piece.index(SUFFIX), piece.index(MIDDLE)
            assert piece[-1] == EOS
            answer = piece[middle + 1 : -1]
            assert answer
            shown = [i for i in piece[suffix + 1 : middle] if i != EOS]
            assert len(shown) <= fim.ORDER.most
            assert decode(piece[:suffix] + answer + shown) in tiny.SOURCE + "\n"
    assert permuted
    assert plain
