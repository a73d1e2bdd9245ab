"""The state of a canvas that is unmasked: what an update keeps, how lengths change, when it is finished."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from model_runtime.diffusion import masked
from model_runtime.diffusion.masked import Marks, Policy
from model_runtime.diffusion.masked_rules import Expanding, scheduled
from model_runtime.diffusion.token_choice import TokenChoice, probability
from tests.model_runtime.diffusion.scripted import DELETE, EXPAND, MASK, NOISE, logits

LENGTHS = Marks(MASK, EXPAND, DELETE)


def policy(**changes: Any) -> Policy:
    return replace(Policy(Expanding(), TokenChoice(probability), LENGTHS, max_steps=50), **changes)


def test_a_decided_token_keeps_the_probability_it_was_decided_with() -> None:
    how = policy()
    state = masked.initialize([[MASK, MASK]], [4], how)
    state = masked.update(state, logits((5, 0.9), (6, 0.6)), how, NOISE)
    assert state.holes == ((5, MASK),)
    assert state.best == ((5, 6),)
    state = masked.update(state, logits((7, 0.99), (6, 0.8)), how, NOISE)
    assert masked.finalize(state)[0] == ((5, 6),)
    assert state.logprobs[0] == pytest.approx((math.log(0.9), math.log(0.8)), abs=1e-4)
    assert state.finished
    assert masked.update(state, logits((7, 0.99), (7, 0.99)), how, NOISE) is state


def test_an_answer_never_holds_a_mark() -> None:
    how = policy()
    state = masked.initialize([[MASK, MASK]], [4], how)
    state = masked.update(state, logits((EXPAND, 0.9), (DELETE, 0.6), second=7), how, NOISE)
    assert state.holes == ((MASK, MASK, MASK),)
    assert state.best == ((7, 7, 7),)


def test_a_draft_is_finished_but_for_its_masks() -> None:
    how = policy()
    assert masked.initialize([[5, 6]], [4], how).finished
    state = masked.initialize([[5, MASK]], [4], how)
    state = masked.update(state, logits((9, 0.9), (6, 0.6)), how, NOISE)
    assert state.holes == ((5, 6),)


@pytest.mark.parametrize(
    ("second", "holes"),
    [((6, 0.95), ((5, 6),)), ((6, 0.8), ((5, MASK),)), ((EXPAND, 0.97), ((MASK, MASK, 0),))],
)
def test_early_stop(second: tuple[int, float], holes: tuple[tuple[int, ...], ...]) -> None:
    """All at once where every mask is sure of its text; not where one would change the length."""
    how = policy(gap=0.85)
    state = masked.initialize([[MASK, MASK]], [4], how)
    state = masked.update(state, logits((5, 0.96), second), how, NOISE)
    if second[0] == EXPAND:  # the surest position expands, the other one stays undecided
        holes = ((MASK, MASK, MASK),)
    assert state.holes == holes


def test_a_schedule_is_no_longer_than_the_hole_unless_stretched() -> None:
    state = masked.initialize([[MASK] * 3, [MASK] * 2], [3, 2], policy())
    assert policy(rule=scheduled, max_steps=64).steps(state) == 5
    assert policy(rule=scheduled, max_steps=4).steps(state) == 4
    assert policy(rule=scheduled, max_steps=64, stretched=True).steps(state) == 64


def test_a_banned_token_stays_banned() -> None:
    how = policy(marks=Marks(MASK), rule=scheduled)
    table = logits((5, 0.9))
    table[:, 5] = float("-inf")
    state = masked.update(masked.initialize([[MASK]], [1], how), table, how, NOISE)
    assert state.best != ((5,),)
    assert torch.isfinite(torch.tensor(state.logprobs)).all()
