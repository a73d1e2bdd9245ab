"""Memory arithmetic, and the option it names; what is counted is what is allocated."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.bench import released
from model_runtime.diffusion import policy as rules
from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Branch, Row
from model_runtime.local import denoiser as local_denoiser
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache, kv_bytes
from model_runtime.network import memory_budget, moe, quantized_layers
from model_runtime.network.memory_budget import Keys, Room
from model_runtime.prompting.profiles import EMBEDDED
from tests.model_runtime.network.released_sizes import KEYS, RELEASED, WORKING
from tests.support import tiny_gemma
from tests.support.memory import most_at_once


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


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_fp8_is_not_for_these(device: str) -> None:
    found = memory_budget.problem(RELEASED, WORKING, "bfloat16", "none", Room(device, 40 * 10**9))
    assert found is not None
    assert "to int8" in found


def test_a_step_keeps_as_many_logits_as_are_counted() -> None:
    """Two steps, since the second has the belief of the first, with the rule that looks at it too."""
    canvas, pinned = torch.zeros(1, 32, dtype=torch.long), torch.zeros(1, 32, dtype=torch.bool)
    layout = sampler.Layout.of(canvas, pinned)
    noise = sampler.SeededNoise(4000, 0, torch.device("cpu"))
    stop = rules.either(rules.early_commit(0.9), rules.stable_and_confident(0.005))
    policy = rules.Policy(rules.linear_temperature(0.4, 0.8), rules.entropy_bound(0.1), stop, 4)

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
        asked = dataclasses.replace(policy, max_steps=4, stop=rules.stable_and_confident(0.0))
        kept.extend(denoiser.denoise([5] * 20, [row], asked, seed=0))

    one = 64 * 30_000 * 4
    assert most_at_once(fill) <= (memory_budget.LOGIT_COPIES + 0.3) * one
    assert len(kept) == 4
    branches = [Branch([7] * 60), Branch([8] * 60)]
    assert most_at_once(lambda: denoiser.score([5] * 20, [], branches)) <= memory_budget.LOGIT_COPIES * one
