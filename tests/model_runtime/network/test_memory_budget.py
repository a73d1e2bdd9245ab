"""Memory arithmetic, and the option it names; packed weights are what it says they are."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from model_runtime.bench import released
from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Branch, Row
from model_runtime.loading.model import _with_room
from model_runtime.local import denoiser as local_denoiser
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache, kv_bytes
from model_runtime.network import memory_budget, moe, quantized_layers
from model_runtime.network.memory_budget import KINDS, Keys, Room, Weights, Working
from model_runtime.prompting.profiles import EMBEDDED
from tests.support import tiny_gemma
from tests.support.memory import most_at_once

# The released geometry: experts and linear layers of 30 layers; embedding, norms and vision tower.
RELEASED = Weights(
    packable=(
        *([(128, 1408, 2816), (128, 2816, 704), (2112, 2816), (2112, 2816), (2816, 2112)] * 30),
        *([(4096, 2816), (2048, 2816), (2048, 2816), (2816, 4096)] * 25),
        *([(8192, 2816), (1024, 2816), (2816, 8192)] * 5),
        *([(2112, 2816), (2112, 2816), (2816, 2112)]),
    ),
    rest=11_000_000 + 560_000_000,
    tables=((262_144, 2816),),
)
KEYS = Keys(windowed=2 * 25 * 8 * 256, full=2 * 5 * 2 * 512, window=1024)
WORKING = Working(262_144 * 256, KEYS.taken(memory_budget.LEAST_CONTEXT))


def test_the_released_model_is_as_large_as_it_is_known_to_be() -> None:
    text = RELEASED.parameters - 560_000_000
    assert text == pytest.approx(25.23e9, rel=0.005)


@pytest.mark.parametrize(
    ("dtype", "kind", "gb", "says"),
    [
        ("bfloat16", "none", 80, None),
        ("bfloat16", "int4", 18, None),
        ("bfloat16", "none", 48, "set infill.quantization to fp8"),
        ("bfloat16", "fp8", 24, "set infill.quantization to int4"),
        ("bfloat16", "int4", 24, None),
        ("bfloat16", "none", 16, "even as int4 it needs"),
        ("float32", "none", 80, "set infill.dtype to bfloat16"),
    ],
)
def test_what_fits_where(dtype: str, kind: str, gb: int, says: str | None) -> None:
    found = memory_budget.problem(RELEASED, WORKING, dtype, kind, Room("cuda:0", gb * 10**9))
    assert (found is None) if says is None else (found is not None and says in found)


def test_int4_fits_in_eighteen_gigabytes_in_all() -> None:
    assert memory_budget.total_bytes(RELEASED, WORKING, "bfloat16", "int4") < 17.6e9


def test_keys_are_counted_as_they_are() -> None:
    text = tiny_gemma.config().text_config.to_dict()
    counted = Keys.of({n: tuple(p.shape) for n, p in tiny_gemma.model().named_parameters()}, text)
    kv = LocalDenoiser(tiny_gemma.model(), EMBEDDED, NoCache())._encode([5] * 11)
    assert kv_bytes(kv) == 4 * 11 * (counted.windowed + counted.full)
    with torch.device("meta"):
        config = released.config(released.GEOMETRIES["26b"])
        model = released.DiffusionGemmaForBlockDiffusion(config)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert Keys.of(shapes, config.text_config.to_dict()) == KEYS


@given(st.integers(0, 200_000_000), st.integers(0, 8192))
def test_the_longest_prompt_that_takes_no_more(elements: int, most: int) -> None:
    found = KEYS.tokens(elements, most)
    assert found == 0 or KEYS.taken(found) <= elements
    assert found == most or KEYS.taken(found + 1) > elements


@pytest.mark.parametrize("kind", KINDS)
@given(left=st.integers(0, 8 * 10**9))
def test_a_prompt_fits_beside_the_one_that_it_replaces(kind: str, left: int) -> None:
    """No canvas is there then; half a gigabyte is for what the layers compute for a piece of it."""
    plan = _with_room(KEYS, "bfloat16", WORKING.keys, left, 8192)
    free = memory_budget.total_bytes(RELEASED, WORKING, "bfloat16", kind) + left
    nothing = memory_budget.total_bytes(RELEASED, Working(0), "bfloat16", kind)
    prompt = 2 * (KEYS.windowed + KEYS.full) * plan.context
    assert prompt <= plan.cache
    assert nothing + plan.cache + prompt + 500_000_000 <= free


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_fp8_is_not_for_these(device: str) -> None:
    found = memory_budget.problem(RELEASED, WORKING, "bfloat16", "none", Room(device, 40 * 10**9))
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
    from types import SimpleNamespace

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


def test_a_step_keeps_as_many_logits_as_are_counted() -> None:
    """Two steps, since the second has the belief of the first, with the rule that looks at it too."""
    canvas, pinned = torch.zeros(1, 32, dtype=torch.long), torch.zeros(1, 32, dtype=torch.bool)
    layout = sampler.Layout.of(canvas, pinned)
    noise = sampler.SeededNoise(4000, 0, torch.device("cpu"))
    stop = sampler.either(sampler.early_commit(0.9), sampler.stable_and_confident(0.005))
    policy = sampler.Policy(sampler.linear_temperature(0.4, 0.8), sampler.entropy_bound(0.1), stop, 4)

    def steps() -> None:
        state = sampler.initialize(layout, noise)
        for _ in range(3):
            logits = torch.randn(1, 32, 4000)
            state = sampler.update(state, logits, layout, policy, noise)
            del logits

    copies = most_at_once(steps) / (32 * 4000 * 4)
    assert memory_budget.LOGIT_COPIES - 1 < copies <= memory_budget.LOGIT_COPIES + 0.1


@pytest.mark.parametrize("kind", ["none", "int4"])
def test_a_fill_keeps_as_many_logits_as_are_counted(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole loop and the ranking, asked by somebody who keeps every proposal."""
    geometry = dataclasses.replace(released.GEOMETRIES["tiny"], vocabulary=30_000)
    monkeypatch.setitem(released.GEOMETRIES, "tiny", geometry)
    monkeypatch.setattr(local_denoiser, "SCORED", 64 * 30_000)
    monkeypatch.setattr(quantized_layers, "WIDENED", 2**17)
    model = released.random_model("tiny", torch.device("cpu"), quantization=kind)
    moe.choose(model, torch.device("cpu"), kind)
    policy = dataclasses.replace(EMBEDDED.policy, sample=lambda p, noise: noise.sample(p))
    denoiser = LocalDenoiser(model, EMBEDDED, NoCache())
    row = Row([9] * 64, [False] * 64, free=True)
    kept = []

    def fill() -> None:
        asked = dataclasses.replace(policy, max_steps=4, stop=sampler.stable_and_confident(0.0))
        kept.extend(denoiser.denoise([5] * 20, [row], asked, seed=0))

    one = 64 * 30_000 * 4
    assert most_at_once(fill) <= (memory_budget.LOGIT_COPIES + 0.3) * one
    assert len(kept) == 4
    branches = [Branch([7] * 60), Branch([8] * 60)]
    assert most_at_once(lambda: denoiser.score([5] * 20, [], branches)) <= memory_budget.LOGIT_COPIES * one


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
