"""The recurrence against transformers' own sampler, and what pinning must mean."""

from __future__ import annotations

import pytest
import torch

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Row
from model_runtime.diffusion.policy import Policy, entropy_bound, linear_temperature, stable_and_confident
from tests.support import tiny

STOCK_POLICY = Policy(linear_temperature(0.4, 0.8), entropy_bound(0.1), stable_and_confident(0.005), 6)


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
    policy = Policy(linear_temperature(0.4, 0.8), entropy_bound(0.1), lambda b, a, v: first, 9)
    noise = sampler.SeededNoise(20, 0, torch.device("cpu"))
    state = sampler.update(sampler.initialize(layout, noise), torch.randn(2, 3, 20), layout, policy, noise)
    after = sampler.update(state, torch.randn(2, 3, 20), layout, policy, noise)
    assert torch.equal(after.best[0], state.best[0])
    assert not torch.equal(after.entropy[1], state.entropy[1])
