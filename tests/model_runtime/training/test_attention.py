"""Training in blocks, many canvases at once, against each sequence and canvas alone."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from model_runtime.network import forward
from model_runtime.training import attention, objective
from model_runtime.training.batches import Mix
from model_runtime.training.vocabulary import PAD
from tests.model_runtime.training.examples import maker
from tests.support import tiny


@pytest.mark.parametrize("length", [512, 400])  # two blocks of one window; one, as none divides it
def test_training_sees_what_the_denoiser_sees(length: int) -> None:
    """The many-canvases-per-sequence pass gives each canvas the hidden states it gets alone."""
    batch = maker().draw(1, rows=2, canvases=3, width=96, length=length)
    net = tiny.model()
    alone = tiny.denoiser()
    with torch.no_grad():
        run = objective.Objective(net)
        assert attention.block_count(length, run.window) == (2 if length == 512 else 1)
        _, kv = run.prefix(batch)
        together = run.canvas_states(
            batch, run.view(batch, kv), batch.canvas, forward.embed(net, batch.canvas)
        )
        for row, k in product(range(2), range(3)):
            at = slice(k * 96, (k + 1) * 96)
            real = batch.canvas[row, at] != PAD
            ids = batch.canvas[row, at][real][None]
            cut = int(batch.cuts[row, k])
            view = alone._canvas_view(alone._encode(batch.sequence[row, :cut].tolist()), 1, 96)
            where = torch.arange(cut, cut + ids.shape[1])[None]
            single = forward.decode(net, ids, forward.embed(net, ids), where, view.masks, view.kv)
            torch.testing.assert_close(single[0], together[row, at][real], rtol=1e-3, atol=1e-4)


def test_a_sequence_in_blocks_is_the_sequence() -> None:
    batch = maker().draw(1, rows=2, canvases=1, width=96, length=512)
    net = tiny.model()
    run = objective.Objective(net)
    with torch.no_grad():
        hidden, kv = run.prefix(batch)
        masks = attention.causal_masks(512, run.window, torch.device("cpu"), rows=2)
        whole, positions = forward.KeyValues(), torch.arange(512).expand(2, -1)
        expected = forward.encode(net, batch.sequence, positions, masks, whole)
    torch.testing.assert_close(hidden, expected, rtol=1e-3, atol=1e-4)
    for mine, theirs in zip(kv.layers, whole.layers, strict=True):
        torch.testing.assert_close(mine.keys, theirs.keys, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(mine.values, theirs.values, rtol=1e-3, atol=1e-4)


def test_documents_of_a_sequence_do_not_see_each_other() -> None:
    """Each segment, and each canvas on it, has the states that it gets where it is alone."""
    batch = maker(mix=Mix(apart=True), short=True).draw(2, rows=2, canvases=3, width=96, length=1024)
    assert batch.segments is not None
    net = tiny.model()
    run = objective.Objective(net)
    with torch.no_grad():
        hidden, kv = run.prefix(batch)
        together = run.canvas_states(
            batch, run.view(batch, kv), batch.canvas, forward.embed(net, batch.canvas)
        )
        for row in range(2):
            numbers = batch.segments[row]
            assert numbers.max() > 0
            for number in numbers.unique():
                at = torch.nonzero(numbers == number).flatten()
                masks = attention.causal_masks(len(at), run.window, torch.device("cpu"))
                own = forward.KeyValues()
                alone = forward.encode(net, batch.sequence[row, at][None], at[None], masks, own)
                torch.testing.assert_close(hidden[row, at], alone[0], rtol=1e-3, atol=1e-4)
                for k in range(3):
                    cut = int(batch.cuts[row, k])
                    if numbers[cut - 1] != number:
                        continue
                    place = slice(k * 96, (k + 1) * 96)
                    begun = forward.KeyValues()
                    seen = at[at < cut]
                    masks = attention.causal_masks(len(seen), run.window, torch.device("cpu"))
                    forward.encode(net, batch.sequence[row, seen][None], seen[None], masks, begun)
                    content = (batch.canvas[row, place] != PAD)[None]
                    view = attention.canvas_view(
                        begun, run.types, torch.tensor([[len(seen)]]), content, run.window
                    )
                    ids = batch.canvas[row, place][None]
                    where = cut + torch.arange(96)[None]
                    single = forward.decode(net, ids, forward.embed(net, ids), where, view[1], view[0])
                    torch.testing.assert_close(
                        single[0][content[0]], together[row, place][content[0]], rtol=1e-3, atol=1e-4
                    )


def test_an_example_sees_what_a_single_sequence_sees() -> None:
    """After its part of the sequence, an example gets the states it gets where both are one sequence."""
    made = maker(mix=Mix(examples=4, apart=True), short=True)
    batch = made.draw(2, rows=2, canvases=0, width=96, length=1024)
    assert batch.segments is not None
    assert batch.examples
    net = tiny.model()
    run = objective.Objective(net)
    losses = []
    with torch.no_grad():
        _, kv = run.prefix(batch)
        together = run.answer_loss(batch, batch.examples, kv)
        for at, (ids, answer) in enumerate(zip(batch.examples.ids, batch.examples.answer, strict=True)):
            row, cut = at // 4, int(batch.examples.cuts.flatten()[at])
            seen = batch.segments[row, :cut] == batch.segments[row, cut - 1]
            whole = torch.cat([batch.sequence[row, :cut][seen], ids[ids != PAD]])[None]
            masks = attention.causal_masks(whole.shape[1], run.window, torch.device("cpu"))
            where = torch.arange(whole.shape[1])[None]
            hidden = forward.encode(net, whole, where, masks, forward.KeyValues())
            logp = forward.logits(net, hidden[0]).log_softmax(-1)
            size = int(answer.sum())
            losses += [-logp[i - 1, whole[0, i]] for i in range(whole.shape[1] - size, whole.shape[1])]
    torch.testing.assert_close(together, torch.stack(losses).mean(), rtol=1e-3, atol=1e-4)
