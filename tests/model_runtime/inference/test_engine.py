"""One fill end to end inside the worker, on a tiny random model: mechanics, not quality."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from model_runtime.baselines import registry
from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.diffusion.interface import DenoiseError, OutOfMemory, Written
from model_runtime.inference.engine import Engine, Fill
from model_runtime.loading import model
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.prompting import profiles
from model_runtime.prompting.layout import Tokens
from model_runtime.protocol import ALTERNATIVES, MOST_STEPS, Choice, Fixed, Infill, Slot
from model_runtime.retrieval.reranker import Calibration
from model_runtime.retrieval.scaling import Scale
from tests.model_runtime.inference.fills import REQUEST, engine, run
from tests.model_runtime.prompting.examples import HOLE, REWRITE, png
from tests.support import tiny, tiny_gemma


def test_a_fill_ends_with_one_text_per_hole() -> None:
    answer, seen = run(engine().fill(REQUEST))
    assert answer.complete
    assert seen == answer.steps <= tiny.STEPS.policy.max_steps
    assert len(answer.texts) == 1
    assert 0 <= answer.confidence <= 1


def test_a_fill_is_repeatable_for_a_seed() -> None:
    assert run(engine().fill(REQUEST))[0].texts == run(engine().fill(REQUEST))[0].texts


def test_finish_returns_the_best_so_far() -> None:
    answer, seen = run(engine().fill(REQUEST), finish_after=1)
    assert (answer.steps, seen, answer.complete) == (1, 1, False)


def test_drafts_cost_nothing_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    target = engine()
    decoded: list[Sequence[int]] = []
    monkeypatch.setattr(target.tokens, "decode", lambda ids: decoded.append(ids) or "")
    steps = target.fill(REQUEST)
    step = next(steps)
    assert decoded == []
    assert step.texts() == ("",)
    assert len(decoded) == 1
    steps.close()


@pytest.mark.parametrize(("steps", "taken"), [(None, 4), (1, 1), (3, 3), (6, 6), (10_000, MOST_STEPS)])
def test_a_request_chooses_how_many_steps(steps: int | None, taken: int) -> None:
    target = engine()
    target.tokens.profile = dataclasses.replace(
        target.tokens.profile,
        policy=dataclasses.replace(
            target.tokens.profile.policy, stop=lambda before, after, _: after.finished
        ),
    )
    answer, seen = run(target.fill(msgspec.structs.replace(REQUEST, steps=steps)))
    assert (answer.steps, seen, answer.complete) == (taken, taken, True)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Infill(id=1, document="d", prefix="", canvas=(Fixed("x"),)), "invalid"),
        (Infill(id=1, document="d", prefix="", canvas=(Slot(4),), steps=0), "invalid"),
        (Infill(id=1, document="d", prefix="", canvas=(Slot(47), Fixed("x"), Slot(47))), "invalid"),
    ],
)
def test_an_impossible_request_is_unfillable(request_: Infill, reason: str) -> None:
    with pytest.raises(Unfillable) as caught:
        next(engine().fill(request_))
    assert caught.value.reason == reason


@pytest.mark.parametrize("error", [DenoiseError("not numbers"), OutOfMemory("too large")])
def test_a_failing_model_is_unfillable(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(prompt):
        raise error

    target = engine()
    monkeypatch.setattr(target.denoiser, "prefill", fail)
    with pytest.raises(Unfillable) as caught:
        next(target.fill(REQUEST))
    assert caught.value.reason == "failed"


def test_several_holes_give_several_texts() -> None:
    request = Infill(
        id=1, document="d", prefix="", canvas=(Fixed("a = "), Slot(4), Fixed("\nb = "), Slot(6), Fixed("\n"))
    )
    answer, _ = run(engine().fill(request))
    assert len(answer.texts) == 2


def test_candidates_come_deduplicated_and_without_the_answer() -> None:
    answer, _ = run(engine().fill(msgspec.structs.replace(REQUEST, candidates=4)))
    texts = [answer.texts, *(each.texts for each in answer.alternatives)]
    assert 2 <= len(texts) <= 4
    assert len(set(texts)) == len(texts)


def test_a_request_chooses_how_many_alternatives() -> None:
    lines = "".join(f"total = {name}\n" for name in "abcdefghijkl")
    request = msgspec.structs.replace(REQUEST, prefix=lines, canvas=(Fixed("total = "), Slot(8), Fixed("\n")))
    usual, _ = run(engine().fill(request))
    every, _ = run(engine().fill(msgspec.structs.replace(request, alternatives=1_000)))
    assert len(usual.alternatives) == ALTERNATIVES < len(every.alternatives)
    assert every.alternatives[:ALTERNATIVES] == usual.alternatives


def writing(monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, list[int]]:
    """An engine whose causal encoder learnt to write, and the rooms that it was given. It first has a piece
    of a text, then the whole."""
    target = registry.changed(
        engine(), lambda profile: dataclasses.replace(profiles.with_fim(profile, 5, 7), written=2)
    )
    rooms: list[int] = []

    def write(prompt: Sequence[int], head: Sequence[int], end: int, most: int, beams: int):
        rooms.append(most)
        yield [Written(target.tokens.encode(" 4"), [-1.0], False)]
        yield [Written(target.tokens.encode(" 42"), [-1.0, -1.0], True)]

    monkeypatch.setattr(target.denoiser, "write", write)
    return target, rooms


def said(answer: Fill) -> dict[str, tuple[str, ...]]:
    """Sources by text."""
    return {answer.texts[0]: answer.sources} | {each.texts[0]: each.sources for each in answer.alternatives}


def test_what_the_encoder_wrote_to_its_end_is_among_the_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    target, rooms = writing(monkeypatch)
    answer, seen = run(target.fill(REQUEST))
    assert said(answer)[" 42"] == ("encoder",)
    assert " 4" not in said(answer)
    assert (rooms, seen) == ([9], answer.steps + 2)
    early, _ = run(target.fill(REQUEST), finish_after=answer.steps + 1)
    assert early.complete
    assert not said(early).keys() & {" 4", " 42"}


@pytest.mark.parametrize("change", [{"lines": 2}, {"original": "1"}])
def test_the_encoder_writes_single_lines_that_are_missing(
    change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rooms = writing(monkeypatch)
    run(target.fill(msgspec.structs.replace(REQUEST, **change)))
    assert rooms == []


def test_an_encoder_that_learnt_no_such_order_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    target, rooms = writing(monkeypatch)
    run(registry.changed(target, lambda profile: dataclasses.replace(profile, fim=None)).fill(REQUEST))
    run(registry.changed(target, lambda profile: dataclasses.replace(profile, written=0)).fill(REQUEST))
    assert rooms == []


def test_a_draft_the_model_likes_is_the_answer() -> None:
    """With weights that trust agreement alone, the retrieved continuation wins the ranking."""
    target = Engine("tiny", tiny.denoiser(), tiny.tokens(), Calibration({"bias": -4.0, "agreement": 2.0}))
    prefix = "total = price * count\n" * 3
    request = Infill(id=1, document="d", prefix=prefix, canvas=(Fixed("total = price"), Slot(8), Fixed("\n")))
    answer, _ = run(target.fill(request))
    assert answer.texts == (" * count",)
    assert "draft" in answer.sources
    assert answer.confidence > 0.9


def test_the_confidence_is_the_models_own_or_corrected_or_fitted() -> None:
    """Engines without a calibration, with two fitted numbers, and with a calibration."""
    plain = engine()
    target = Engine("tiny", tiny.denoiser(), tiny.tokens(), scale=Scale(1.0, -1.0))
    own = Engine("tiny", tiny.denoiser(), tiny.tokens(), Calibration({"bias": 0.0}))
    assert [each.calibrated for each in (plain, target, own)] == ["none", "fitted", "model"]
    before, after = run(plain.fill(REQUEST))[0], run(target.fill(REQUEST))[0]
    assert after.texts == before.texts
    assert after.confidence == pytest.approx(Scale(1.0, -1.0).chance(before.confidence))


BLOCK = "def a():\n    x = load(1)\n    check(x)\n    return x\n\n"


@pytest.mark.parametrize(
    ("lines", "text"), [(8, "load(1)\n    check(x)\n    return x"), (1, "load(1)")], ids=["several", "one"]
)
def test_drafts_serve_holes_of_several_lines(lines: int, text: str) -> None:
    """A model's own ranking was fitted on holes of one line and does not say how likely several are."""
    request = Infill(0, "d", BLOCK + "def b():\n", (Fixed("    x = "), Slot(47), Fixed("\n")), lines=lines)
    answer, other = (
        run(Engine("tiny", tiny.denoiser(), tiny.tokens(), Calibration(weights)).fill(request))[0]
        for weights in ({"bias": -4.0, "agreement": 2.0}, {"bias": -6.0, "agreement": 2.0})
    )
    assert answer.texts == (text,)
    assert "draft" in answer.sources
    assert (answer.confidence == other.confidence) is (lines > 1)


def test_typing_through_the_last_fill_offers_its_rest() -> None:
    target = Engine("tiny", tiny.denoiser(), tiny.tokens(), Calibration({"near": 9.0}))
    target.drafting._previous["d"] = ("x = ", "alpha + beta")
    request = Infill(id=1, document="d", prefix="", canvas=(Fixed("x = alp"), Slot(8), Fixed("\n")))
    assert run(target.fill(request))[0].texts == ("ha + beta",)


def test_new_lines_ride_on_the_canvas_until_there_is_time() -> None:
    target = Engine("tiny", tiny.denoiser(PrefixCache(1 << 30)), tiny.tokens())
    run(target.fill(REQUEST))
    longer = msgspec.structs.replace(REQUEST, prefix=REQUEST.prefix + "    y = 1\n")
    run(target.fill(longer))
    full = target.tokens.lay(longer).prompt
    assert target.denoiser.cached(full) < len(full)
    target.idle()
    assert target.denoiser.cached(full) == len(full)


def test_lengths_that_look_wrong_are_dropped_after_one_step() -> None:
    profile = dataclasses.replace(tiny.STEPS, length=CandidateLengths((2, 4, 8), survivors=2))
    target = Engine("tiny", tiny.denoiser(profile=profile), Tokens(tiny.tokenizer(), profile))
    seen: list[int] = []
    original = target._draft_texts
    target._draft_texts = lambda layout, p: seen.append(len(p.rows)) or original(layout, p)
    steps = target.fill(REQUEST)
    for _ in range(2):
        next(steps).texts()
    assert seen == [3, 2]


def test_out_of_memory_halves_the_batch_and_then_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    target = engine()
    original, tried = target.denoiser.denoise, []

    def limited(prompt, rows, policy, seed, most=2):
        tried.append(len(rows))
        if len(rows) > most:
            raise OutOfMemory("too large")
        return (yield from original(prompt, rows, policy, seed))

    monkeypatch.setattr(target.denoiser, "denoise", limited)
    answer, _ = run(target.fill(msgspec.structs.replace(REQUEST, candidates=8)))
    assert tried == [8, 4, 2]
    assert answer.complete
    monkeypatch.setattr(target.denoiser, "denoise", functools.partial(limited, most=0))
    with pytest.raises(Unfillable, match="too large"):
        next(target.fill(REQUEST))


def test_asking_again_gives_the_same_answer() -> None:
    """What was answered last must not count as evidence for or against itself."""
    target = Engine("tiny", tiny.denoiser(), tiny.tokens(), Calibration({"bias": -4.0, "agreement": 2.0}))
    prefix = "total = price * count\n" * 3
    request = Infill(id=1, document="d", prefix=prefix, canvas=(Fixed("total = price"), Slot(8), Fixed("\n")))
    answers = [run(target.fill(request))[0] for _ in range(3)]
    assert {(a.texts, a.confidence) for a in answers} == {((" * count",), answers[0].confidence)}


def test_an_engine_fills_and_rewrites(tmp_path: Path) -> None:
    ending = tiny_gemma.write(tmp_path / "ending", ending=3.0)
    loaded = model.load(Choice(model=str(ending), device="cpu"))
    target = Engine("tiny", loaded.denoiser, loaded.prompting.tokens, chat=loaded.prompting.chat)
    assert target.run(HOLE).complete
    several = msgspec.structs.replace(
        HOLE, canvas=(Fixed("a = "), Slot(4), Fixed("\nb = "), Slot(4), Fixed("\n"))
    )
    assert len(target.run(several).texts) == 2
    rewritten = target.run(msgspec.structs.replace(REWRITE, original="y = f(x)\n" * 30, seed=1))
    assert rewritten.complete
    assert not set(tiny_gemma.SPECIAL) & {word for word in tiny_gemma.SPECIAL if word in rewritten.texts[0]}
    target.run(msgspec.structs.replace(REWRITE, original="y = f(x)\n" * 30, thinking=True, image=png("red")))


def test_the_network_scores_only_the_likeliest_of_many_composed_texts() -> None:
    names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    before = "".join(f"total = {name}\n" for name in names)
    asked = Infill(id=0, document="", prefix=before, canvas=(Fixed("total = "), Slot(8), Fixed("\n")))
    scored: list[int] = []
    for most in (99, 2):
        tokens = tiny.tokens()
        tokens.profile = dataclasses.replace(tokens.profile, composed=8, scored=most)
        target = Engine("tiny", tiny.denoiser(), tokens, Calibration({"bias": -1.0}))
        target.on_scored = lambda found, scores: scored.append(len(found))
        target.run(asked)
    everything, few = scored
    assert everything >= len(names) > 3 >= few


@pytest.mark.parametrize("mended", [0, 1])
def test_a_row_may_start_from_a_composed_text(tmp_path: Path, mended: int) -> None:
    loaded = model.load(Choice(model=str(tiny_gemma.write(tmp_path)), device="cpu"))
    tokens, rows = loaded.prompting.tokens, []
    tokens.profile = dataclasses.replace(tokens.profile, mended=mended)
    target = Engine("tiny", loaded.denoiser, tokens, chat=loaded.prompting.chat)
    denoise = loaded.denoiser.denoise
    loaded.denoiser.denoise = lambda prompt, given, *more: rows.extend(given) or denoise(prompt, given, *more)
    target.run(msgspec.structs.replace(HOLE, prefix="y = x7 + 1\nz = 3\n" * 4))
    ids = tokens.encode("x7")
    starting = [row.ids for row in rows if row.draft]
    assert len(starting) == mended < len(rows)
    assert all(any(row[i:][: len(ids)] == ids for i in range(len(row))) for row in starting)
