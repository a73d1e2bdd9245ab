"""What is noised."""

from __future__ import annotations

import torch

from model_runtime.training import objective
from model_runtime.training.batches import NOISE, Mix
from tests.model_runtime.training.examples import maker


def test_noise_touches_holes_only() -> None:
    batch = maker().draw(0, 2, 4, 96, 128)
    ids = objective.noised(batch, 600, torch.Generator().manual_seed(0))
    changed = ids != batch.canvas
    assert changed.any()
    assert not (changed & ~batch.hole).any()


def test_all_canvases_are_pure_noise_where_that_is_the_share() -> None:
    batch = maker().draw(0, 2, 8, 96, 128)
    ids = objective.noised(batch, 600, torch.Generator().manual_seed(0), share=1.0)
    kept = (ids == batch.canvas)[batch.hole].float().mean()
    assert kept < 0.02  # a random id is the right one now and then
    some = objective.noised(batch, 600, torch.Generator().manual_seed(0), share=0.0)
    assert (some == batch.canvas)[batch.hole].float().mean() > 0.2


def test_a_draft_is_what_its_hole_begins_with() -> None:
    batch = maker(mix=Mix(drafts=1.0)).draw(1, rows=2, canvases=6, width=96, length=512)
    assert batch.begin is not None
    ids = objective.noised(batch, 600, torch.Generator().manual_seed(0), share=1.0)
    begun = batch.begin != NOISE
    assert begun.any()
    assert torch.equal(ids[begun], batch.begin[begun])
