"""The local denoiser on a tiny random model: same logits as the stock forward, cached or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_runtime.diffusion import sampler
from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.interface import Branch, DenoiseError, OutOfMemory, Row
from model_runtime.diffusion.policy import Policy, stable_and_confident
from model_runtime.inference.engine import Engine
from model_runtime.loading import model
from model_runtime.local import denoiser as local_denoiser
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache, PrefixCache
from model_runtime.network import forward
from model_runtime.prompting.layout import Tokens
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from tests.support import tiny, tiny_gemma


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


def reference_fill(prompt: list[int], row: Row, policy: Policy, seed: int) -> list[int]:
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
    policy = replace(EMBEDDED.policy, max_steps=5, stop=stable_and_confident(0.1), relevant=torch.ones_like)
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
    assert all(token >= EMBEDDED.first_text_id or token == EMBEDDED.filler for token in runs[0].ids[0])


def test_nan_weights_are_a_denoise_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "logits", lambda _, hidden: torch.full((*hidden.shape[:-1], 600), torch.nan))
    with pytest.raises(DenoiseError, match="not numbers"):
        next(tiny.denoiser().denoise(random_ids(5), [Row([0], [False])], EMBEDDED.policy, 0))


@pytest.mark.parametrize(("faulty", "steps"), [(1, 1), (3, 3), (2, 3)])
def test_a_late_stop_test_does_not_hide_them(
    faulty: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where nothing waits for a step: the last step's verdict comes with its guess."""
    gpu = LocalDenoiser(tiny.model(), EMBEDDED, NoCache(), static=True, late=True)
    done, logits = [], gpu._hole_logits

    def hole_logits(*args) -> torch.Tensor:
        done.append(0)
        return logits(*args) * (torch.nan if len(done) == faulty else 1.0)

    monkeypatch.setattr(gpu, "_hole_logits", hole_logits)
    never = lambda before, after, relevant: torch.zeros_like(after.finished)  # noqa: E731
    policy = replace(EMBEDDED.policy, max_steps=steps, stop=never)
    engine = Engine("tiny", gpu, Tokens(tiny.tokenizer(), replace(EMBEDDED, policy=policy)))
    with pytest.raises(Unfillable, match="not numbers"):
        engine.run(Infill(id=0, document="", prefix="x = 1\n", canvas=(Slot(4), Fixed("\n"))))
    done.clear()
    step = next(engine.fill(Infill(id=0, document="", prefix="x = 1\n", canvas=(Slot(4), Fixed("\n")))))
    if faulty == 1:
        with pytest.raises(Unfillable, match="not numbers"):  # whoever watches reads it earlier
            step.texts()


def test_branches_score_as_if_each_stood_alone() -> None:
    ours = tiny.denoiser()
    prompt, head, after = random_ids(280), random_ids(7, seed=1), random_ids(5, seed=2)
    texts = [random_ids(n, seed=10 + n) for n in (1, 6, 12)]
    texts += [texts[2][:5], [*texts[2][:5], 77], texts[1]]  # begin alike, or are the same
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


@pytest.mark.parametrize("images", [False, True])
def test_a_long_prompt_is_encoded_in_pieces(monkeypatch: pytest.MonkeyPatch, images: bool) -> None:
    prompt = random_ids(300)
    whole = tiny.denoiser()._encode(prompt)
    denoiser, lengths = tiny.denoiser(), []
    extend = denoiser.extend
    monkeypatch.setattr(local_denoiser, "CPU_PIECE", 128)
    monkeypatch.setattr(
        denoiser, "extend", lambda kv, new, **k: (lengths.append(len(new)), extend(kv, new, **k))[1]
    )
    if images:
        monkeypatch.setattr(denoiser, "_vocabulary", 0)  # any id is an image's then
        monkeypatch.setattr(denoiser._images, "shown", lambda ids, masks: (None, masks))
    pieces = denoiser._encode(prompt)
    assert lengths == ([300] if images else [128, 128, 44])
    for ours, theirs in zip(pieces.layers, whole.layers, strict=True):
        torch.testing.assert_close(ours.keys, theirs.keys, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.values, theirs.values, rtol=1e-4, atol=1e-5)


def test_a_free_canvas_is_denoised_as_generate_does(gemma_folder: Path) -> None:
    """Nothing pinned, nothing banned: the same tokens from the same noise. In double precision, since in
    single a draw near the edge between two tokens depends on how a processor rounds."""
    loaded = model.load(Choice(model=str(gemma_folder), device="cpu"))  # not the one that tests share
    stock, profile = loaded.denoiser.model.double(), loaded.denoiser.profile
    stock.set_experts_implementation("eager")  # the grouped product knows no doubles
    ids = [2, *range(300, 340)]
    assert profile.answer
    torch.manual_seed(5)
    expected = stock.generate(torch.tensor([ids]), max_new_tokens=tiny_gemma.CANVAS).sequences[0, len(ids) :]
    width = tiny_gemma.CANVAS
    row = Row([0] * width, [False] * width, free=True)
    *_, last = loaded.denoiser.denoise(ids, [row], profile.answer, seed=5)
    ours = last.read().ids[0]
    end = next((i for i, token in enumerate(ours) if token in (1, 106, 50)), width)
    assert ours[:end] == expected.tolist()[:end]
    assert end > 0
