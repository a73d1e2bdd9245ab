"""The recurrence against transformers' own sampler, and what pinning must mean."""

from __future__ import annotations

import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    StableAndConfidentStoppingCriteria,
)

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Row
from tests.support import tiny

STOCK_POLICY = sampler.Policy(
    sampler.linear_temperature(0.4, 0.8), sampler.entropy_bound(0.1), sampler.stable_and_confident(0.005), 6
)


@pytest.mark.parametrize(("prefix", "canvas", "seed"), [(5, 16, 0), (40, 32, 1), (300, 16, 2)])
def test_nothing_pinned_reproduces_generate(prefix: int, canvas: int, seed: int) -> None:
    model = tiny.model()
    prompt = torch.randint(8, 500, (1, prefix), generator=torch.Generator().manual_seed(seed))
    model.config.canvas_length = canvas
    torch.manual_seed(seed)
    stock = model.generate(prompt, max_new_tokens=canvas, max_denoising_steps=6, eos_token_id=None)
    row = Row([0] * canvas, [False] * canvas)
    *_, last = tiny.denoiser(profile=tiny.STOCK).denoise(prompt[0].tolist(), [row], STOCK_POLICY, seed)
    assert last.read().ids[0] == stock.sequences[0, prefix:].tolist()


@pytest.mark.parametrize("bound", [0.1, 2.0, 50.0])
def test_acceptance_is_the_stock_samplers(bound: float) -> None:
    logits = torch.randn(3, 12, 40, generator=torch.Generator().manual_seed(0)) * 4
    stock = EntropyBoundSampler(EntropyBoundSamplerConfig(bound), 12, 40, 8)
    stock.accept_canvas(torch.zeros(3, 12).long(), torch.ones(3, 12).long(), logits, 1)
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    ours = sampler.entropy_bound(bound)(entropy, torch.ones(3, 12, dtype=torch.bool))
    assert torch.equal(ours, stock.accepted_token_mask)


def test_padding_spends_no_budget() -> None:
    entropy = torch.tensor([[0.05, 0.04, 0.03, 0.06]])
    valid = torch.tensor([[True, True, False, True]])
    accepted = sampler.entropy_bound(0.08)(entropy, valid)
    assert accepted.tolist() == [[True, True, False, False]]


def test_stop_rule_is_the_stock_one() -> None:
    stock = StableAndConfidentStoppingCriteria(stability_threshold=1, confidence_threshold=0.5)
    ours = sampler.stable_and_confident(0.5)
    layout = sampler.Layout.of(torch.zeros(2, 4).long(), torch.zeros(2, 4, dtype=torch.bool))
    policy = sampler.Policy(sampler.linear_temperature(1.0, 1.0), sampler.entropy_bound(1.0), ours, 9)
    noise = sampler.SeededNoise(9, 0, torch.device("cpu"))
    state = sampler.initialize(layout, noise)
    for scale in (0.1, 20.0, 20.0, 20.0):
        logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(3)) * scale
        expected = stock(logits.argmax(-1), logits)
        after = sampler.update(state, logits, layout, policy, noise)
        assert torch.equal(after.finished, expected | state.finished)
        state = after


def test_pinned_tokens_are_re_asserted_at_every_step() -> None:
    canvas = torch.tensor([[11, 12, 0, 0, 15, 16]])
    pinned = torch.tensor([[True, True, False, False, True, True]])
    layout = sampler.Layout.of(canvas, pinned)
    assert layout.index.tolist() == [[2, 3]]
    assert layout.compose(torch.tensor([[7, 8]])).tolist() == [[11, 12, 7, 8, 15, 16]]


def test_ragged_rows_keep_their_own_pins() -> None:
    canvas = torch.arange(10).reshape(2, 5)
    pinned = torch.tensor([[True, False, False, False, True], [True, True, False, True, True]])
    layout = sampler.Layout.of(canvas, pinned)
    assert layout.valid.tolist() == [[True, True, True], [True, False, False]]
    composed = layout.compose(torch.full((2, 3), 99))
    assert composed.tolist() == [[0, 99, 99, 99, 4], [5, 6, 99, 8, 9]]


def test_a_row_without_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="no hole"):
        sampler.Layout.of(torch.zeros(1, 3).long(), torch.ones(1, 3, dtype=torch.bool))


def test_a_finished_row_does_not_change() -> None:
    layout = sampler.Layout.of(torch.zeros(2, 3).long(), torch.zeros(2, 3, dtype=torch.bool))
    first = torch.tensor([True, False])
    policy = sampler.Policy(
        sampler.linear_temperature(0.4, 0.8), sampler.entropy_bound(0.1), lambda b, a, v: first, 9
    )
    noise = sampler.SeededNoise(20, 0, torch.device("cpu"))
    state = sampler.update(sampler.initialize(layout, noise), torch.randn(2, 3, 20), layout, policy, noise)
    after = sampler.update(state, torch.randn(2, 3, 20), layout, policy, noise)
    assert torch.equal(after.best[0], state.best[0])
    assert not torch.equal(after.entropy[1], state.entropy[1])
