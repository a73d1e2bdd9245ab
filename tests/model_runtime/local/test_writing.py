"""Beam search in one sequence of keys and values against one that encodes every hypothesis anew."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from model_runtime.diffusion.interface import Branch, Written
from model_runtime.local import writing
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.network import forward
from model_runtime.training.attention import causal_masks
from model_runtime.training.geometry import WINDOW
from tests.support import tiny

NO_END = 1  # which weights like these never write
MOST = 6


def next_token(ids: Sequence[int], end: int) -> Tensor:
    """Log-probabilities [V] of the token that follows, without any cache."""
    net = tiny.model()
    masks = causal_masks(len(ids), net.config.text_config.sliding_window, torch.device("cpu"))
    with torch.inference_mode():
        at = torch.arange(len(ids))[None]
        hidden = forward.encode(net, torch.tensor([list(ids)]), at, masks, forward.KeyValues())
        scores = forward.logits(net, hidden[0, -1])
        scores[[i for i in range(8) if i != end]] = float("-inf")
        return scores.log_softmax(-1)


def slow(question: Sequence[int], end: int, beams: int) -> list[tuple[list[int], float]]:
    """(ids, nats) of the hypotheses, best first."""
    found: list[tuple[list[int], float]] = [([], 0.0)]
    for _ in range(MOST):
        longer = [(ids, nats) for ids, nats in found if ids[-1:] == [end]]
        for ids, nats in found:
            if ids[-1:] != [end]:
                logp = next_token([*question, *ids], end)
                longer += [([*ids, int(i)], nats + float(logp[i])) for i in logp.topk(beams).indices]
        found = sorted(longer, key=lambda each: -each[1])[:beams]
        found = [each for each in found if each[1] >= found[0][1] - writing.WITHIN]
    return found


def write(question: Sequence[int], end: int, beams: int, cache: PrefixCache | None = None) -> list[Written]:
    *_, found = tiny.denoiser(cache).write(question[:-9], question[-9:], end, MOST, beams)
    return found


def test_what_is_far_less_likely_than_the_best_is_given_up() -> None:
    logp = torch.tensor([0.9, 0.06, 0.03, 0.01]).log()[None]  # 1.1 nats lie between 0.9 and 0.3, 2.7 to 0.06
    found = writing.grown(
        [writing.Hypothesis((9, NO_END), (-1.2,), ended=True)], [writing.Hypothesis()], logp, NO_END, 4
    )
    assert [each.ids for each in found] == [(0,), (9, NO_END)]
    assert len(writing.grown([], [writing.Hypothesis()], torch.zeros(1, 4), NO_END, 2)) == 2


@pytest.mark.parametrize("length", [40, WINDOW - 2, WINDOW + 50])  # within the window, at its edge, beyond
@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_what_a_search_that_encodes_all_anew_writes(length: int, beams: int) -> None:
    question = [2, *tiny.tokens().encode(tiny.SOURCE)[: length - 1]]
    wanted = slow(question, NO_END, beams)
    for cache in (None, PrefixCache(1 << 26)):
        found = write(question, NO_END, beams, cache)
        assert [each.ids for each in found] == [ids for ids, _ in wanted]
        assert [sum(each.logprobs) for each in found] == pytest.approx([nats for _, nats in wanted], abs=1e-3)
        assert not any(each.ended for each in found)


def test_a_hypothesis_that_ends_keeps_its_place_among_longer_ones() -> None:
    question = [2, *tiny.tokens().encode(tiny.SOURCE)[:60]]
    end = write(question, NO_END, 3)[0].ids[2]
    wanted = slow(question, end, 3)
    found = write(question, end, 3)
    assert any(each.ended for each in found)
    assert [[*each.ids, *[end] * each.ended] for each in found] == [ids for ids, _ in wanted]
    assert all(len(each.logprobs) == len(each.ids) + each.ended for each in found)


def test_what_was_computed_to_write_serves_the_score_of_the_same_question() -> None:
    question = [2, *tiny.tokens().encode(tiny.SOURCE)[:300]]
    branches = [Branch([40, 41, 42], [1]), Branch([40, 43], [1])]
    asked = (question[:-20], question[-20:], branches)
    denoiser = tiny.denoiser()
    fresh = denoiser.score(*asked)
    for question_before, spared in ((question, True), ([*question[:-2], 77, question[-1]], False)):
        *_, _ = denoiser.write(question_before[:-20], question_before[-20:], NO_END, 2, 2)
        before = denoiser.forwards
        again = denoiser.score(*asked)
        assert [each.ids for each in again] == [pytest.approx(each.ids, abs=1e-4) for each in fresh]
        assert [each.after for each in again] == [pytest.approx(each.after, abs=1e-4) for each in fresh]
        assert (denoiser.forwards - before == 1) is spared
