"""Greedy decoding against a slow reference, and the prompts it is given."""

from __future__ import annotations

import pytest
import torch

from model_runtime.baselines import greedy, registry
from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.network import forward
from model_runtime.prompting import profiles
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.training.attention import causal_masks
from tests.model_runtime.baselines.conftest import PREFIX, REQUEST
from tests.support import tiny


@pytest.mark.parametrize("cached", [True, False])
def test_greedy_decoding_is_that_of_the_whole_sequence(cached: bool) -> None:
    denoiser = tiny.denoiser(PrefixCache(1 << 26) if cached else None)
    net = tiny.model()
    # Longer than the sliding window, so that its mask counts.
    prompt = [2, *tiny.tokens().encode(tiny.SOURCE)[:300]]
    made = greedy.decode(denoiser, prompt, 290, most=6, ends=frozenset())
    again = greedy.decode(denoiser, prompt, 290, most=6, ends=frozenset())
    assert again == made
    ids = list(prompt)
    for token, logprob in zip(made.ids, made.logprobs, strict=True):
        masks = causal_masks(len(ids), net.config.text_config.sliding_window, torch.device("cpu"))
        with torch.inference_mode():
            at = torch.arange(len(ids))[None]
            hidden = forward.encode(net, torch.tensor([ids]), at, masks, forward.KeyValues())
            scores = forward.logits(net, hidden[0, -1])
            scores[:8] = float("-inf")
        assert token == int(scores.argmax())
        assert logprob == pytest.approx(float(scores.log_softmax(-1)[token]), abs=1e-3)
        ids.append(token)
    stopped = greedy.decode(denoiser, prompt, 290, most=6, ends=frozenset({made.ids[2]}))
    assert (stopped.ids, stopped.ended) == (made.ids[: made.ids.index(made.ids[2])], True)


def test_what_follows_is_in_sight_of_a_model_that_learnt_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[int], int, frozenset[int]]] = []
    decode = greedy.decode

    def noted(denoiser, prompt, stable, most, ends):
        asked.append((list(prompt), stable, ends))
        return decode(denoiser, prompt, stable, most, ends)

    monkeypatch.setattr(greedy, "decode", noted)
    tokens = engine.tokens
    before, head = [2, *tokens.encode(PREFIX)], tokens.encode("        self.size =")
    assert greedy.Causal(engine)(REQUEST).texts
    assert asked.pop() == (before + head, len(before), frozenset(tokens.encode("\n")))
    learnt = registry.changed(engine, lambda profile: profiles.with_fim(profile, 5, 7))
    assert greedy.Causal(learnt)(REQUEST).texts
    following = [*tokens.encode("\n        return self\n"), 1]
    cut = len(before) - profiles.NEAR
    question = [5, *following, 7, *before[cut:], *head]
    assert asked.pop() == ([*before[:cut], *question], cut, frozenset({1}))


def test_several_holes_are_not_for_everybody(engine: Engine) -> None:
    two = Infill(0, "", "", (Slot(4), Fixed(" = "), Slot(4), Fixed("\n")))
    with pytest.raises(Unfillable):
        greedy.Causal(engine)(two)
