"""The optimizer's orthogonalization."""

from __future__ import annotations

import torch

from model_runtime.training import muon


def test_orthogonalize_makes_singular_values_near_one() -> None:
    stack = torch.randn(3, 32, 64, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(muon.orthogonalize(stack).float())
    assert 0.6 < values.min() < values.max() < 1.3
