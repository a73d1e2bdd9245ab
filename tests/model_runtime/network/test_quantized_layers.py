"""Packed weights: their bytes, their error, and products with them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from model_runtime.network import memory_budget, quantized_layers
from model_runtime.network.memory_budget import KINDS, Weights
from tests.support.memory import most_at_once


@given(
    st.sampled_from([kind for kind in KINDS if kind != "none"]),
    st.lists(st.integers(1, 4), min_size=1, max_size=2),
    st.integers(1, 80),
)
def test_packing_takes_the_bytes_it_is_said_to_and_is_near(kind: str, rows: list[int], half: int) -> None:
    shape = (*rows, 2 * half)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(half))
    small, scale = quantized_layers.pack(weight, kind)
    taken = sum(t.numel() * t.element_size() for t in (small, scale))
    assert taken == memory_budget.weight_bytes(Weights((shape,), 0), "bfloat16", kind)
    slowly = quantized_layers.pack_slowly(weight, kind)
    assert all(
        torch.equal(a.view(torch.uint8), b.view(torch.uint8))
        for a, b in zip(slowly, (small, scale), strict=True)
    )
    back = quantized_layers.unpack(small, scale, torch.float32)
    assert back.shape == weight.shape
    if kind == "fp8":
        error = (back - weight).abs() / weight.abs().clamp_min(float(scale.max()))
        assert float(error.max()) <= 1 / 15
    else:
        steps = (back - weight).unflatten(-1, (scale.shape[-1], -1)).abs() / scale[..., None]
        assert float(steps.max()) <= 0.501


@pytest.mark.parametrize("kind", ["int8", "fp8", "int4"])
@pytest.mark.parametrize("tokens", [1, 5, 64])
def test_packed_experts_are_the_stock_loop_on_widened_weights(kind: str, tokens: int) -> None:
    generator = torch.Generator().manual_seed(tokens)
    gate_up, down = (
        torch.randn(shape, generator=generator) / math.sqrt(shape[-1]) for shape in ((6, 48, 32), (6, 32, 24))
    )
    module, wide = SimpleNamespace(act_fn=torch.nn.functional.gelu), {}
    for name, weight in (("gate_up_proj", gate_up), ("down_proj", down)):
        small, scale = quantized_layers.pack(weight, kind)
        setattr(module, name, small)
        setattr(module, name + quantized_layers.SCALE, scale)
        wide[name] = quantized_layers.unpack(small, scale, torch.float32)
    hidden = torch.randn(tokens, 32, generator=generator)
    index = torch.stack([torch.randperm(6, generator=generator)[:2] for _ in range(tokens)])
    weights = torch.rand(tokens, 2, generator=generator)
    expected = torch.zeros_like(hidden)
    for row in range(tokens):
        for at in range(2):
            expert = int(index[row, at])
            wide = quantized_layers.unpack(
                module.gate_up_proj[expert], module.gate_up_proj_scale[expert], torch.float32
            )
            gate, up = (hidden[row] @ wide.T).chunk(2)
            wide = quantized_layers.unpack(
                module.down_proj[expert], module.down_proj_scale[expert], torch.float32
            )
            expected[row] += weights[row, at] * ((torch.nn.functional.gelu(gate) * up) @ wide.T)
    torch.testing.assert_close(
        quantized_layers.experts(module, hidden, index, weights), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["int8", "fp8", "int4"])
@pytest.mark.parametrize("shape", [(300, 64), (4, 200, 64)])
def test_pieces_together_are_the_whole(
    kind: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(quantized_layers, "_PACKED_AT_ONCE", 64 * 7)
    small, scale = quantized_layers.pack_slowly(weight, kind)
    monkeypatch.setattr(quantized_layers, "WIDENED", shape[0] * 64 if len(shape) == 3 else 64 * 64)
    parts = list(quantized_layers.pieces(small, scale, torch.float32))
    assert len(parts) == -(-shape[-2] // 64)
    whole = quantized_layers.unpack(*quantized_layers.pack(weight, kind), torch.float32)
    assert torch.equal(torch.cat(parts, dim=-2), whole)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As small as they get, so that a vocabulary of a thousand has several."""
    monkeypatch.setattr(quantized_layers, "WIDENED", 1)


@pytest.mark.usefixtures("small_pieces")
def test_a_packed_table_is_the_widened_one() -> None:
    table: Any = nn.Embedding(1000, 64)
    table.embed_scale = torch.tensor(8.0)
    small, scale = quantized_layers.pack(table.weight.detach(), "int8")
    wide = quantized_layers.unpack(small, scale, torch.float32)
    table.weight = nn.Parameter(small, requires_grad=False)
    head: Any = nn.Linear(64, 1000, bias=False)
    head.weight = table.weight
    quantized_layers.attach(table, "weight", scale, torch.float32)
    quantized_layers.attach(head, "weight", scale, torch.float32)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 1000, (3, 5), generator=generator)
    assert torch.equal(table(ids), wide[ids] * 8)
    probabilities = torch.rand(3, 5, 1000, generator=generator)
    torch.testing.assert_close(table.mixed(probabilities), probabilities @ wide * 8, rtol=1e-4, atol=1e-3)
    hidden = torch.randn(3, 5, 64, generator=generator)
    torch.testing.assert_close(head(hidden), hidden @ wide.T, rtol=1e-4, atol=1e-4)
    assert most_at_once(lambda: head(hidden[:1, :1])) < 1000 * 64 * 4 / 2  # never widened as a whole


@pytest.mark.skipif(
    not (torch.cuda.is_available() and quantized_layers.multiplies_fp8(torch.device("cuda"))),
    reason="needs a GPU that multiplies fp8 groups",
)
def test_fp8_groups_on_a_gpu_are_near_the_widened_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 64, 128, generator=generator).cuda() / 11
    rows = torch.randn(20, 128, generator=generator).cuda().bfloat16()
    ends = torch.tensor([3, 3, 12, 20], dtype=torch.int32, device="cuda")
    small, scale = quantized_layers.pack(weight, "fp8")
    expected = torch.nn.functional.grouped_mm(rows, weight.bfloat16().transpose(-2, -1), offs=ends)
    ours = quantized_layers._grouped_fp8(rows, small, scale, ends)
    assert float((ours - expected).norm() / expected.norm()) < 0.05
    one = quantized_layers._linear_fp8(rows, small[0], scale[0])
    expected = rows @ weight[0].bfloat16().T
    assert float((one - expected).norm() / expected.norm()) < 0.05
