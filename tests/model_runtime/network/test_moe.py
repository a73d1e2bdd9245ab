"""Kernels for experts: equal to the stock loop, and chosen by model and quantisation."""

from __future__ import annotations

import pytest
import torch

from model_runtime.network import moe
from model_runtime.network.moe import ALL_EXPERTS, PACKED_EXPERTS, all_experts
from tests.support import tiny, tiny_gemma


def test_all_experts_equals_the_stock_loop() -> None:
    torch.manual_seed(0)
    experts = tiny.model().model.decoder.layers[0].experts
    hidden, weights = torch.randn(7, 64), torch.rand(7, 2)
    index = torch.stack([torch.randperm(2) for _ in range(7)])
    with torch.no_grad():
        ours = all_experts(experts, hidden, index, weights)
        tiny.model().set_experts_implementation("eager")
        stock = experts(hidden, index, weights)
        tiny.model().set_experts_implementation(ALL_EXPERTS)
    torch.testing.assert_close(ours, stock)


@pytest.mark.parametrize(
    ("model", "quantization", "chosen"),
    [
        (tiny.model, "none", ALL_EXPERTS),
        (tiny.model, "int8", PACKED_EXPERTS),
        (tiny_gemma.model, "int4", PACKED_EXPERTS),
        (tiny_gemma.model, "none", None),  # two of four: transformers' own
    ],
)
def test_the_kernel_suits_the_model(
    monkeypatch: pytest.MonkeyPatch, model, quantization: str, chosen: str | None
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(model(), "set_experts_implementation", asked.append)
    moe.choose(model(), torch.device("cpu"), quantization)
    assert asked == ([chosen] if chosen else [])
