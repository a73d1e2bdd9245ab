"""Memory arithmetic, and the option it names; packed weights are what it says they are."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_runtime import fitting, packed
from model_runtime.fitting import KINDS, Room, Weights

# The released geometry: experts and linear layers of 30 layers; embedding, norms and vision tower.
RELEASED = Weights(
    packable=(
        *([(128, 1408, 2816), (128, 2816, 704), (2112, 2816), (2112, 2816), (2816, 2112)] * 30),
        *([(4096, 2816), (2048, 2816), (2048, 2816), (2816, 4096)] * 25),
        *([(8192, 2816), (1024, 2816), (2816, 8192)] * 5),
        *([(2112, 2816), (2112, 2816), (2816, 2112)]),
    ),
    rest=262_144 * 2816 + 11_000_000 + 560_000_000,
)
WORKING = fitting.working_bytes(262_144, 256, 2 * 1024**3)


def test_the_released_model_is_as_large_as_it_is_known_to_be() -> None:
    text = RELEASED.parameters - 560_000_000
    assert text == pytest.approx(25.23e9, rel=0.005)


@pytest.mark.parametrize(
    ("dtype", "kind", "gb", "says"),
    [
        ("bfloat16", "none", 80, None),
        ("bfloat16", "none", 48, "set infill.quantization to fp8"),
        ("bfloat16", "fp8", 24, "set infill.quantization to int4"),
        ("bfloat16", "int4", 24, None),
        ("bfloat16", "none", 16, "even as int4 it needs"),
        ("float32", "none", 80, "set infill.dtype to bfloat16"),
    ],
)
def test_what_fits_where(dtype: str, kind: str, gb: int, says: str | None) -> None:
    found = fitting.problem(RELEASED, WORKING, dtype, kind, Room("cuda:0", gb * 10**9))
    assert (found is None) if says is None else (found is not None and says in found)


def test_int4_is_for_cards_of_eighteen_gigabytes_and_a_bit() -> None:
    assert fitting.weight_bytes(RELEASED, "bfloat16", "int4") < 18e9


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_fp8_is_not_for_these(device: str) -> None:
    found = fitting.problem(RELEASED, WORKING, "bfloat16", "none", Room(device, 40 * 10**9))
    assert found is not None
    assert "to int8" in found


@given(
    st.sampled_from([kind for kind in KINDS if kind != "none"]),
    st.lists(st.integers(1, 4), min_size=1, max_size=2),
    st.integers(1, 80),
)
def test_packing_takes_the_bytes_it_is_said_to_and_is_near(kind: str, rows: list[int], half: int) -> None:
    shape = (*rows, 2 * half)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(half))
    small, scale = packed.pack(weight, kind)
    taken = sum(t.numel() * t.element_size() for t in (small, scale))
    assert taken == fitting.weight_bytes(Weights((shape,), 0), "bfloat16", kind)
    back = packed.unpack(small, scale, torch.float32)
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
    from types import SimpleNamespace

    generator = torch.Generator().manual_seed(tokens)
    gate_up, down = (
        torch.randn(shape, generator=generator) / math.sqrt(shape[-1]) for shape in ((6, 48, 32), (6, 32, 24))
    )
    module, wide = SimpleNamespace(act_fn=torch.nn.functional.gelu), {}
    for name, weight in (("gate_up_proj", gate_up), ("down_proj", down)):
        small, scale = packed.pack(weight, kind)
        setattr(module, name, small)
        setattr(module, name + packed.SCALE, scale)
        wide[name] = packed.unpack(small, scale, torch.float32)
    hidden = torch.randn(tokens, 32, generator=generator)
    index = torch.stack([torch.randperm(6, generator=generator)[:2] for _ in range(tokens)])
    weights = torch.rand(tokens, 2, generator=generator)
    expected = torch.zeros_like(hidden)
    for row in range(tokens):
        for at in range(2):
            expert = int(index[row, at])
            wide = packed.unpack(
                module.gate_up_proj[expert], module.gate_up_proj_scale[expert], torch.float32
            )
            gate, up = (hidden[row] @ wide.T).chunk(2)
            wide = packed.unpack(module.down_proj[expert], module.down_proj_scale[expert], torch.float32)
            expected[row] += weights[row, at] * ((torch.nn.functional.gelu(gate) * up) @ wide.T)
    torch.testing.assert_close(packed.experts(module, hidden, index, weights), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(
    not (torch.cuda.is_available() and packed.multiplies_fp8(torch.device("cuda"))),
    reason="needs a GPU that multiplies fp8 groups",
)
def test_fp8_groups_on_a_gpu_are_near_the_widened_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 64, 128, generator=generator).cuda() / 11
    rows = torch.randn(20, 128, generator=generator).cuda().bfloat16()
    ends = torch.tensor([3, 3, 12, 20], dtype=torch.int32, device="cuda")
    small, scale = packed.pack(weight, "fp8")
    expected = torch.nn.functional.grouped_mm(rows, weight.bfloat16().transpose(-2, -1), offs=ends)
    ours = packed._grouped_fp8(rows, small, scale, ends)
    assert float((ours - expected).norm() / expected.norm()) < 0.05
    one = packed._linear_fp8(rows, small[0], scale[0])
    expected = rows @ weight[0].bfloat16().T
    assert float((one - expected).norm() / expected.norm()) < 0.05
