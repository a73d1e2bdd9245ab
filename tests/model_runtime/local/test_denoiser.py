"""The local denoiser on a tiny random model: same logits as the stock forward, cached or not."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_runtime.diffusion import sampler
from model_runtime.diffusion.faults import ModelError
from model_runtime.diffusion.interface import Branch, DenoiseError, OutOfMemory, Row
from model_runtime.loading import checkpoint, model
from model_runtime.loading.devices import resolve_device
from model_runtime.local import denoiser as local_denoiser
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache, PrefixCache
from model_runtime.network import forward, memory_budget
from model_runtime.network.moe import ALL_EXPERTS, all_experts
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.protocol import Choice
from tests.support import tiny, tiny_gemma


def on_cpu(folder: Path, **changes: str) -> Choice:
    return Choice(model=str(folder), device="cpu", **changes)


def random_ids(n: int, seed: int = 0) -> list[int]:
    return torch.randint(8, 500, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("prefix", [3, 255, 256, 257, 400])  # around the sliding window of 256
@pytest.mark.parametrize("width", [8, 33])
def test_one_pass_equals_the_stock_forward(prefix: int, width: int) -> None:
    prompt, canvas = random_ids(prefix), random_ids(width, seed=1)
    ours = tiny.denoiser()
    layout = sampler.Layout.of(torch.tensor([canvas]), torch.zeros(1, width, dtype=torch.bool))
    state = sampler.initialize(
        layout, sampler.SeededNoise(500, 0, torch.device("cpu")), torch.tensor([canvas])
    )
    with torch.no_grad():
        expected = tiny.model()(
            input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([canvas])
        ).logits
        kv = ours._canvas_view(ours._encode(prompt), 1, width)
        known = torch.zeros(1, width, 64)
        actual = ours._hole_logits(layout, state, known, kv, prefix)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def reference_fill(prompt: list[int], row: Row, policy: sampler.Policy, seed: int) -> list[int]:
    """The slow way: stock modules, every position of the canvas computed, holes picked out afterwards."""
    model = tiny.model().model
    canvas, pinned = torch.tensor([list(row.ids)]), torch.tensor([list(row.pinned)])
    holes = (~pinned[0]).nonzero()[:, 0]
    noise = sampler.SeededNoise(tiny.tokenizer().get_vocab_size(), seed, torch.device("cpu"), low=8)
    valid = torch.ones(1, len(holes), dtype=torch.bool)
    ids, signal = noise.ids((1, len(holes))), model.decoder.embed_tokens(canvas) * pinned[..., None]
    before = None
    with torch.no_grad():
        for remaining in range(policy.max_steps, 0, -1):
            current = canvas.clone()
            current[:, holes] = ids
            hidden = model.decoder.embed_tokens(current)
            hidden = model.decoder.self_conditioning(hidden, signal)
            kv = model.encoder(input_ids=torch.tensor([prompt])).past_key_values
            where = torch.arange(len(prompt), len(prompt) + canvas.shape[1])[None]
            for kind, layer in zip(model.config.text_config.layer_types, model.decoder.layers, strict=True):
                rotary = model.decoder.rotary_emb(hidden, where, kind)
                hidden = layer(
                    hidden,
                    position_embeddings=rotary,
                    attention_mask=None,
                    position_ids=where,
                    past_key_values=kv,
                )
            everywhere = forward.logits(tiny.model(), model.decoder.norm(hidden))
            logits = everywhere[:, holes].clone()
            logits[..., [0, 1, 2, 4, 5, 6, 7]] = float("-inf")
            tempered = logits / policy.temperature(remaining, policy.max_steps)
            entropy = torch.distributions.Categorical(logits=tempered).entropy()
            best = tempered.argmax(-1)
            accepted = policy.accept(entropy, valid)
            ids = torch.where(accepted, best, noise.ids((1, len(holes))))
            signal = signal.clone()
            table = model.decoder.embed_tokens
            signal[:, holes] = (tempered.softmax(-1) @ table.weight) * table.embed_scale
            if before is not None and torch.equal(best, before) and entropy.mean() < 0.1:
                break
            before = best
    return best[0].tolist()


@pytest.mark.parametrize("prefix", [4, 255, 300])
@pytest.mark.parametrize("seed", [0, 1])
def test_pinned_fill_equals_the_slow_reference(prefix: int, seed: int) -> None:
    pinned = [True] * 5 + [False] * 7 + [True] * 6 + [False] * 3 + [True] * 4
    row = Row(random_ids(len(pinned), seed=9), pinned)
    policy = replace(
        EMBEDDED.policy, max_steps=5, stop=sampler.stable_and_confident(0.1), relevant=torch.ones_like
    )
    *_, last = tiny.denoiser().denoise(random_ids(prefix), [row], policy, seed)
    assert last.read().ids[0] == reference_fill(random_ids(prefix), row, policy, seed)


@pytest.mark.parametrize("history", [[300], [100, 300, 280], [300, 290, 299, 400], [20, 400, 10, 300]])
def test_cached_prefix_equals_a_fresh_one(history: list[int]) -> None:
    """Any order of growing and rolling back, past the sliding window too."""
    text = random_ids(400)
    cached = tiny.denoiser(PrefixCache(1 << 30))
    with torch.no_grad():
        for n in history:
            warm = cached._encode(text[:n])
        cold = tiny.denoiser()._encode(text[: history[-1]])
    cached.cache.check()
    for a, b in zip(warm.layers, cold.layers, strict=True):
        torch.testing.assert_close(a.keys, b.keys, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(a.values, b.values, rtol=1e-4, atol=1e-5)


def test_same_seed_same_fill_and_pins_survive() -> None:
    row = Row([9, 10, 0, 0, 0, 11], [True, True, False, False, False, True])
    runs = [
        list(tiny.denoiser().denoise(random_ids(20), [row], EMBEDDED.policy, seed=5))[-1].read()
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].ids[0]) == 3
    assert all(token >= EMBEDDED.first_text_id or token == EMBEDDED.gap for token in runs[0].ids[0])


def test_nan_weights_are_a_denoise_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "logits", lambda _, hidden: torch.full((*hidden.shape[:-1], 600), torch.nan))
    with pytest.raises(DenoiseError, match="not numbers"):
        next(tiny.denoiser().denoise(random_ids(5), [Row([0], [False])], EMBEDDED.policy, 0))


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


def test_a_saved_folder_loads_to_the_same_weights(tmp_path: Path) -> None:
    loaded = model.load(on_cpu(tiny.write_folder(tmp_path))).denoiser
    row = Row([0] * 6, [False] * 6)
    ours, saved = (
        list(d.denoise(random_ids(30), [row], EMBEDDED.policy, 1))[-1].read().ids
        for d in (tiny.denoiser(), loaded)
    )
    assert ours == saved


def test_an_unknown_device_is_a_one_line_error() -> None:
    with pytest.raises(ModelError, match="cannot be used here"):
        resolve_device("warp-drive")


def test_branches_score_as_if_each_stood_alone() -> None:
    ours = tiny.denoiser()
    prompt, head, after = random_ids(280), random_ids(7, seed=1), random_ids(5, seed=2)
    texts = [random_ids(n, seed=10 + n) for n in (1, 6, 12)]
    together = ours.score(prompt, head, [Branch(t, after) for t in texts])
    for text, found in zip(texts, together, strict=True):
        whole = torch.tensor([prompt + head + text + after])
        with torch.no_grad():
            hidden = tiny.model().model.encoder(input_ids=whole).last_hidden_state[0]
            logp = forward.logits(tiny.model(), hidden).log_softmax(-1)
        start = len(prompt) + len(head)
        expected = [logp[i - 1, whole[0, i]].item() for i in range(start, whole.shape[1])]
        assert found.ids + found.after == pytest.approx(expected, rel=1e-3)
    assert ours.score(prompt, [], [Branch(texts[0])])[0].ids == pytest.approx(
        ours.score(prompt[:-1], prompt[-1:], [Branch(texts[0])])[0].ids, rel=1e-3
    )


def test_dropping_rows_leaves_the_others_as_they_were() -> None:
    rows = [Row([9, 0, 0, 0, 7], [True, False, False, False, True]) for _ in range(3)]
    fill = tiny.denoiser().denoise(random_ids(30), rows, tiny.STEPS.policy, 4)
    first = next(fill)
    assert first.rows == (0, 1, 2)
    second = fill.send([2])
    assert second.rows == (2,)
    assert len(second.read().ids) == 1


def test_a_draft_row_starts_from_its_tokens() -> None:
    """Row 1 is noise in one run and a draft in the other; row 0 must not notice."""
    noise = Row([9, 0, 0, 7], [True, False, False, True])
    draft = Row([9, 30, 31, 7], [True, False, False, True], draft=True)
    plain = next(tiny.denoiser().denoise(random_ids(30), [noise, noise], EMBEDDED.policy, 4)).read()
    mixed = next(tiny.denoiser().denoise(random_ids(30), [noise, draft], EMBEDDED.policy, 4)).read()
    assert mixed.logprobs[0] == pytest.approx(plain.logprobs[0], rel=1e-4)
    assert mixed.logprobs[1] != pytest.approx(plain.logprobs[1], rel=1e-4)


def test_healing_limits_the_first_token() -> None:
    row = Row([9, 0, 0, 7], [True, False, False, True], starts=frozenset({50, 51}))
    *_, last = tiny.denoiser().denoise(random_ids(30), [row], EMBEDDED.policy, 4)
    assert last.read().ids[0][0] in (50, 51)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_running_out_of_memory_is_an_expected_failure(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args):
        raise error

    monkeypatch.setattr(forward, "decode", fail)
    with pytest.raises(OutOfMemory, match="smaller model"):
        next(tiny.denoiser().denoise(random_ids(5), [Row([0], [False])], EMBEDDED.policy, 0))


@pytest.mark.parametrize("prefix", [3, 255, 256, 257, 400])
def test_static_shapes_and_a_late_stop_change_nothing(prefix: int) -> None:
    """What a GPU runs, eagerly: padded prefixes, several rows, the stop test read one step late."""
    rows = [Row([9, 0, 0, 0, 7], [True, False, False, False, True]) for _ in range(3)]
    third = lambda before, after, relevant: torch.full_like(after.finished, after.step >= 3)  # noqa: E731
    policy = replace(EMBEDDED.policy, max_steps=8, stop=third)
    plain = list(tiny.denoiser().denoise(random_ids(prefix), rows, policy, 4))
    gpu = LocalDenoiser(tiny.model(), EMBEDDED, NoCache(), static=True, late=True)
    late = list(gpu.denoise(random_ids(prefix), rows, policy, 4))
    assert plain[-1].step == 3
    assert late[-1].step == 4
    assert late[-1].read().ids == plain[-1].read().ids
    for ours, theirs in zip(late[0].read().logprobs, plain[0].read().logprobs, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


# Loading a checkpoint as it is released


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


@pytest.mark.parametrize("kind", ["int8", "fp8", "int4"])
def test_a_packed_model_is_small_and_writes_much_the_same(tmp_path: Path, kind: str) -> None:
    folder = tiny_gemma.write(tmp_path)
    plain, small = (model.load(on_cpu(folder, quantization=q)).denoiser for q in ("none", kind))

    def size(of: LocalDenoiser) -> int:
        named = dict(of.model.named_parameters())
        wanted = (p for name, p in named.items() if memory_budget.packed_as(name, "int8"))
        return sum(p.numel() * p.element_size() for p in wanted)

    assert size(small) == size(plain) // (8 if kind == "int4" else 4)
    table, head = small.model.model.decoder.embed_tokens.weight, small.model.lm_head.weight
    assert table is head is small.model.model.encoder.language_model.embed_tokens.weight
    assert table.dtype == (torch.int8 if kind == "int4" else torch.float32)
    held = {id(t): t for t in (*small.model.parameters(), *small.model.buffers())}.values()
    counted = memory_budget.weight_bytes(checkpoint.examine(folder, "x").weights(), "float32", kind)
    assert sum(t.numel() * t.element_size() for t in held) == pytest.approx(counted, rel=0.02)
    branch = Branch(random_ids(6))
    ours, theirs = (of.score(random_ids(80), [], [branch])[0].ids for of in (small, plain))
    assert ours == pytest.approx(theirs, abs=0.2)
    assert ours != theirs


def test_what_int4_saves_beside_the_matrices_costs_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table as int8 and scales in bf16 add at most a tenth to the error that int4 has without them."""
    folder, prompt = tiny_gemma.write(tmp_path), random_ids(80)
    branch = Branch(random_ids(300, seed=1))

    def told(**changes: str) -> torch.Tensor:
        denoiser = model.load(on_cpu(folder, **changes)).denoiser
        return torch.tensor(denoiser.score(prompt, [], [branch])[0].ids)

    plain, small = told(), told(quantization="int4")
    with monkeypatch.context() as patch:
        patch.setattr(memory_budget, "_TABLE", re.compile("none"))
        patch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor)
        without = told(quantization="int4")
    assert not torch.equal(small, without)
    error, least = ((found - plain).abs().mean() for found in (small, without))
    assert error < 1.1 * least


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


@pytest.mark.parametrize("images", [False, True])
def test_a_long_prompt_is_encoded_in_pieces(monkeypatch: pytest.MonkeyPatch, images: bool) -> None:
    prompt = random_ids(300)
    whole = tiny.denoiser()._encode(prompt)
    denoiser, lengths = tiny.denoiser(), []
    extend = denoiser.extend
    monkeypatch.setattr(local_denoiser, "CPU_PIECE", 128)
    monkeypatch.setattr(denoiser, "extend", lambda kv, new: (lengths.append(len(new)), extend(kv, new))[1])
    if images:
        monkeypatch.setattr(denoiser, "_vocabulary", 0)  # any id is an image's then
        monkeypatch.setattr(denoiser._images, "shown", lambda ids, masks: (None, masks))
    pieces = denoiser._encode(prompt)
    assert lengths == ([300] if images else [128, 128, 44])
    for ours, theirs in zip(pieces.layers, whole.layers, strict=True):
        torch.testing.assert_close(ours.keys, theirs.keys, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.values, theirs.values, rtol=1e-4, atol=1e-5)


def test_a_model_that_nobody_knows_how_to_prompt(tmp_path: Path) -> None:
    folder = tiny_gemma.write(tmp_path)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        model.load(on_cpu(folder))
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    with pytest.raises(ModelError, match=r"chat template in .* cannot be used"):
        model.load(on_cpu(folder))


def test_what_comes_quantised_is_not_packed_again(tmp_path: Path) -> None:
    folder = tiny_gemma.write(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "compressed-tensors"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"comes quantised \(compressed-tensors\); set infill.quantization"):
        model.load(on_cpu(folder, quantization="int8"))
    if importlib.util.find_spec("compressed_tensors") is None:
        with pytest.raises(ModelError, match="pip install compressed-tensors"):
            model.load(on_cpu(folder))
