"""A step's operations, against those that torch counts."""

from __future__ import annotations

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from model_runtime.bench import peak, steps
from model_runtime.loading import model
from model_runtime.protocol import Choice


def test_operations_are_those_that_are_carried_out() -> None:
    denoiser = model.load(Choice(device="cpu", dtype="float32")).denoiser
    ids, rows = steps.prompt(denoiser, 300), [steps.row(denoiser, 96, 33)]
    denoiser.prefill(ids)
    with FlopCounterMode(display=False) as counted, sdpa_kernel(SDPBackend.MATH):
        steps.step_times(denoiser, ids, rows, 1)
    expected = peak.operations(denoiser.model.config.text_config, 300, 96, 33)
    assert counted.get_total_flops() == pytest.approx(expected, rel=0.01)


def test_the_share_is_that_of_the_peak() -> None:
    found = peak.measure(model.load(Choice(device="cpu")).denoiser)
    reached = found["step_gflop"] / found["step_ms"] * 1000
    assert found["share"] == pytest.approx(reached / found["gflops"], abs=0.01)
    assert found["share"] > 0
