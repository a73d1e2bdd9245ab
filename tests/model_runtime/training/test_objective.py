"""What is noised."""

from __future__ import annotations

import torch

from model_runtime.training import objective
from tests.model_runtime.training.examples import maker


def test_noise_touches_holes_only() -> None:
    batch = maker().draw(0, 2, 4, 96, 128)
    ids = objective.noised(batch, 600, torch.Generator().manual_seed(0))
    changed = ids != batch.canvas
    assert changed.any()
    assert not (changed & ~batch.hole).any()
