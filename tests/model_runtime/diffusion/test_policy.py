"""The rules against transformers' own, and what they mean where rows are ragged."""

from __future__ import annotations

import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    StableAndConfidentStoppingCriteria,
)

from model_runtime.diffusion import policy, sampler


@pytest.mark.parametrize("bound", [0.1, 2.0, 50.0])
def test_acceptance_is_the_stock_samplers(bound: float) -> None:
    logits = torch.randn(3, 12, 40, generator=torch.Generator().manual_seed(0)) * 4
    stock = EntropyBoundSampler(EntropyBoundSamplerConfig(bound), 12, 40, 8)
    stock.accept_canvas(torch.zeros(3, 12).long(), torch.ones(3, 12).long(), logits, 1)
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    ours = policy.entropy_bound(bound)(entropy, torch.ones(3, 12, dtype=torch.bool))
    assert torch.equal(ours, stock.accepted_token_mask)


def test_padding_spends_no_budget() -> None:
    entropy = torch.tensor([[0.05, 0.04, 0.03, 0.06]])
    valid = torch.tensor([[True, True, False, True]])
    accepted = policy.entropy_bound(0.08)(entropy, valid)
    assert accepted.tolist() == [[True, True, False, False]]


def test_stop_rule_is_the_stock_one() -> None:
    stock = StableAndConfidentStoppingCriteria(stability_threshold=1, confidence_threshold=0.5)
    ours = policy.stable_and_confident(0.5)
    layout = sampler.Layout.of(torch.zeros(2, 4).long(), torch.zeros(2, 4, dtype=torch.bool))
    decided = policy.Policy(policy.linear_temperature(1.0, 1.0), policy.entropy_bound(1.0), ours, 9)
    noise = sampler.SeededNoise(9, 0, torch.device("cpu"))
    state = sampler.initialize(layout, noise)
    for scale in (0.1, 20.0, 20.0, 20.0):
        logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(3)) * scale
        expected = stock(logits.argmax(-1), logits)
        after = sampler.update(state, logits, layout, decided, noise)
        assert torch.equal(after.finished, expected | state.finished)
        state = after
