"""Loading a model: whole, tied, in the chosen dtype, and within memory."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.diffusion.faults import ModelError
from model_runtime.diffusion.interface import Row
from model_runtime.loading import checkpoint, model
from model_runtime.loading.model import _with_room
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.network import memory_budget
from model_runtime.network.memory_budget import KINDS, Working
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.protocol import Choice
from tests.model_runtime.network.released_sizes import KEYS, RELEASED, WORKING
from tests.support import tiny, tiny_gemma


def on_cpu(folder: Path, **changes: str) -> Choice:
    return Choice(model=str(folder), device="cpu", **changes)


def random_ids(n: int, seed: int = 0) -> list[int]:
    return torch.randint(8, 500, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


def test_a_saved_folder_loads_to_the_same_weights(tmp_path: Path) -> None:
    loaded = model.load(on_cpu(tiny.write_folder(tmp_path))).denoiser
    row = Row([0] * 6, [False] * 6)
    ours, saved = (
        list(d.denoise(random_ids(30), [row], EMBEDDED.policy, 1))[-1].read().ids
        for d in (tiny.denoiser(), loaded)
    )
    assert ours == saved


def test_a_released_folder_loads_whole_and_tied(tmp_path: Path) -> None:
    """Sharded, with a vision tower; the sizes are the checkpoint's, never the class's defaults."""
    loaded = model.load(on_cpu(tiny_gemma.write(tmp_path))).denoiser.model
    assert loaded.config.text_config.hidden_size == tiny_gemma.config().text_config.hidden_size
    assert loaded.config.text_config.sliding_window == 64
    inner = loaded.model
    assert loaded.lm_head.weight is inner.decoder.embed_tokens.weight
    assert inner.encoder.language_model.embed_tokens.weight is loaded.lm_head.weight
    for name, parameter in inner.decoder.layers.named_parameters():
        assert inner.encoder.language_model.layers.get_parameter(name) is parameter, name
    expected = tiny_gemma.model().state_dict()
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_what_loading_left_untied_or_on_meta_is_noticed() -> None:
    broken = copy.deepcopy(tiny_gemma.model())
    layer = broken.model.encoder.language_model.layers[0]
    layer.mlp.gate_proj.weight = torch.nn.Parameter(layer.mlp.gate_proj.weight.detach().to("meta"))
    model.check_tied(broken)  # the decoder has it
    assert layer.mlp.gate_proj.weight is broken.model.decoder.layers[0].mlp.gate_proj.weight
    norm = broken.model.decoder.norm
    norm.weight = torch.nn.Parameter(norm.weight.detach().to("meta"))
    with pytest.raises(ModelError, match=r"norm.weight has no value after loading; copy the model again"):
        model.check_tied(broken)


@pytest.mark.parametrize(("dtype", "expected"), [("auto", torch.float32), ("bfloat16", torch.bfloat16)])
def test_dtype(tmp_path: Path, dtype: str, expected: torch.dtype) -> None:
    loaded = model.load(on_cpu(tiny_gemma.write(tmp_path), dtype=dtype)).denoiser
    assert loaded.model.dtype == expected
    width = tiny_gemma.CANVAS
    row = Row([0] * width, [False] * width, free=True)
    assert loaded.profile.answer
    *_, last = loaded.denoise([2, 300, 301], [row], loaded.profile.answer, 0)
    assert len(last.read().ids[0]) == width


def test_memory_is_looked_at_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_gemma.write(tmp_path)
    monkeypatch.setattr(model, "free_bytes", lambda device: 10_000_000)
    monkeypatch.setattr(model, "_weights", lambda *args: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match="and even as int4 it needs"):
        model.load(on_cpu(folder))


@pytest.mark.parametrize("kind", ["none", "int4"])
def test_keys_and_values_get_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    folder = tiny_gemma.write(tmp_path)
    found = checkpoint.examine(folder, "x")
    working = memory_budget.Working(
        found.vocabulary * tiny_gemma.CANVAS, found.keys.taken(memory_budget.LEAST_CONTEXT)
    )
    least = memory_budget.total_bytes(found.weights(), working, "float32", kind)
    got = {}
    for spare in (-1, 0, 500_000, 2_000_000, 10**10):
        monkeypatch.setattr(model, "free_bytes", lambda device, spare=spare: least + spare)
        if spare < 0:
            with pytest.raises(ModelError, match="the model takes about"):
                model.load(on_cpu(folder, quantization=kind))
            continue
        loaded = model.load(on_cpu(folder, quantization=kind))
        context = got[spare] = loaded.prompting.tokens.profile.context
        assert loaded.denoiser.profile.context == context
        assert isinstance(cache := loaded.denoiser.cache, PrefixCache)
        size = 4 * (found.keys.windowed + found.keys.full)
        assert cache.budget >= size * context  # the longest prompt has room
        assert cache.budget <= model.CHAT_CACHE_BYTES
        assert loaded.prompting.chat
        assert loaded.prompting.chat.tokens.profile.context == context
    assert got[0] == memory_budget.LEAST_CONTEXT
    assert got[0] < got[500_000] < got[2_000_000] < got[10**10] == 8192


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


def test_what_comes_quantised_is_not_packed_again(tmp_path: Path) -> None:
    folder = tiny_gemma.write(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "compressed-tensors"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"comes quantised \(compressed-tensors\); set infill.quantization"):
        model.load(on_cpu(folder, quantization="int8"))
    if importlib.util.find_spec("compressed_tensors") is None:
        with pytest.raises(ModelError, match="pip install compressed_tensors`"):
            model.load(on_cpu(folder))
