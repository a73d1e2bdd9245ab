"""Every rule of the three samplers, against scripted logits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model_runtime.diffusion import masked
from model_runtime.diffusion.masked import Marks, Policy, State
from model_runtime.diffusion.masked_rules import Expanding, revisable, scheduled
from model_runtime.diffusion.token_choice import (
    Confidence,
    TokenChoice,
    margin,
    negative_entropy,
    probability,
)
from tests.model_runtime.diffusion.scripted import DELETE, EXPAND, MASK, NOISE, logits

_ = MASK
DREAMON = Policy(Expanding(), TokenChoice(probability), Marks(MASK, EXPAND, DELETE), max_steps=99)
DREAM = replace(DREAMON, rule=scheduled, marks=Marks(MASK))
P2 = replace(DREAM, rule=revisable)


def after(policy: Policy, hole: list[int], *wanted: tuple[int, float], most: int = 9, **had: int) -> State:
    state = replace(masked.initialize([hole], [most], policy), **had)
    return masked.update(state, logits(*wanted), policy, NOISE)


@pytest.mark.parametrize(
    ("hole", "wanted", "found"),
    [
        ([_, _, _], [(5, 0.6), (6, 0.9), (7, 0.7)], (_, 6, _)),  # the surest one
        ([8, _, _], [(5, 0.99), (6, 0.6), (7, 0.7)], (8, _, 7)),  # decided tokens are never revised
        ([_, _], [(5, 0.6), (EXPAND, 0.9)], (_, _, _)),  # one becomes two
        ([_, _], [(EXPAND, 0.6), (5, 0.9)], (_, 5)),  # not before it is the surest
        ([_, _, _], [(5, 0.6), (DELETE, 0.9), (6, 0.7)], (_,)),  # and all masks to the right of it
        ([_, _, 8, _], [(5, 0.6), (DELETE, 0.9), (6, 0.7), (7, 0.7)], (_, 8)),  # but no decided token
        ([_], [(DELETE, 0.9)], ()),
    ],
)
def test_dreamon(hole: list[int], wanted: list[tuple[int, float]], found: tuple[int, ...]) -> None:
    assert after(DREAMON, hole, *wanted).holes == (found,)


@pytest.mark.parametrize(("most", "budget"), [(2, 5), (9, 0)])
def test_dreamon_expands_no_further(most: int, budget: int) -> None:
    """The hole is full or the budget is spent: `expand` is no choice, and the next best is taken."""
    state = after(DREAMON, [_, _], (5, 0.6), (EXPAND, 0.9), most=most, budget=budget)
    assert state.holes == ((_, 11),)
    assert state.budget == budget


def test_dreamon_spends_its_budget() -> None:
    state = after(DREAMON, [_], (EXPAND, 0.9), budget=2)
    assert (state.holes, state.budget) == (((_, _),), 1)


def test_dreamon_several_at_once() -> None:
    """Two tokens a step; where fewer masks are left, these. Of two expansions the right one has the room."""
    two = replace(DREAMON, rule=Expanding(2))
    assert after(two, [_, _, _], (5, 0.6), (6, 0.9), (7, 0.7)).holes == ((_, 6, 7),)
    assert after(two, [8, _], (5, 0.6), (6, 0.9)).holes == ((8, 6),)
    both = after(two, [_, 8, _], (EXPAND, 0.8), (5, 0.9), (EXPAND, 0.9), most=4)
    assert (both.holes, both.budget) == (((_, 8, _, _),), DREAMON.budget - 1)
    # A delete and what is deleted with it, an expansion before it.
    mixed = after(two, [_, _, _], (EXPAND, 0.8), (DELETE, 0.9), (5, 0.6))
    assert mixed.holes == ((_, _),)


def test_dreamon_ends_its_own_hole_only() -> None:
    """The authors' code deletes the masks of later holes as well."""
    state = masked.initialize([[_, _], [_, _]], [4, 4], DREAMON)
    state = masked.update(state, logits((DELETE, 0.9), (5, 0.6), (6, 0.7), (7, 0.6)), DREAMON, NOISE)
    assert state.holes == ((), (_, _))
    state = masked.update(state, logits((6, 0.7), (EXPAND, 0.9)), DREAMON, NOISE)
    assert state.holes == ((), (_, _, _))


def reference_counts(masks: int, steps: int) -> list[int]:
    """Dream's published loop, with its own arithmetic: how many tokens each step transfers."""
    times, counts = torch.linspace(1, 1e-3, steps + 1), []
    for i in range(steps):
        left = torch.tensor(masks - sum(counts))
        moved = int(left * (1 - times[i + 1] / times[i])) if i < steps - 1 else int(left)
        counts.append(moved)
    return counts


@pytest.mark.parametrize(("masks", "steps"), [(8, 8), (8, 3), (5, 64), (1, 1), (7, 5)])
def test_dream_transfers_as_many_as_published(masks: int, steps: int) -> None:
    how = replace(DREAM, max_steps=steps, stretched=True)
    state, counts = masked.initialize([[_] * masks], [masks], how), []
    for _step in range(steps):
        left = state.holes[0].count(_)
        state = masked.update(state, logits(*[(5, 0.5 + 0.01 * i) for i in range(masks)]), how, NOISE)
        counts.append(left - state.holes[0].count(_))
    assert counts == reference_counts(masks, steps)
    assert state.finished


@pytest.mark.parametrize(("confidence", "first"), [(probability, 1), (margin, 0), (negative_entropy, 2)])
def test_dream_takes_the_surest(confidence: Confidence, first: int) -> None:
    """Three positions, each the surest by one of the measures."""
    rows = [[0.52, 0.16, 0.16, 0.16], [0.56, 0.40, 0.02, 0.02], [0.5, 0.5, 0.0, 0.0]]
    table = torch.full((3, 12), 1e-9)
    table[:, 5:9] = torch.tensor(rows).clamp_min(1e-9)
    how = replace(DREAM, choice=TokenChoice(confidence), max_steps=2, stretched=True)
    state = masked.update(masked.initialize([[_] * 3], [3], how), table.log(), how, NOISE)
    assert [at for at, token in enumerate(state.holes[0]) if token != _] == [first]


def test_p2_revises() -> None:
    """A token that is least sure of itself is a mask again; one that stays is not replaced by the new
    draw."""
    how = replace(P2, max_steps=4)
    state = masked.initialize([[_] * 4], [4], how)
    state = masked.update(state, logits((5, 0.6), (6, 0.9), (7, 0.7), (8, 0.8)), how, NOISE)
    assert state.holes == ((_, 6, _, _),)  # floor(4 * 3/4) are masked
    state = masked.update(state, logits((5, 0.9), (9, 0.55), (7, 0.8), (8, 0.7)), how, NOISE)
    assert state.holes == ((5, _, 7, _),)
    state = masked.update(state, logits((10, 0.9), (6, 0.7), (7, 0.8), (8, 0.6)), how, NOISE)
    assert state.holes == ((5, 6, 7, _),)
    state = masked.update(state, logits((10, 0.3), (9, 0.7), (9, 0.8), (8, 0.6)), how, NOISE)
    assert state.holes == ((5, 6, 7, 8),)
    assert state.finished


def test_p2_stretched_as_its_authors_run_it() -> None:
    """64 steps for 4 tokens: a token more after every 16."""
    how = replace(P2, max_steps=64, stretched=True)
    state, decided = masked.initialize([[_] * 4], [4], how), []
    while not state.finished:
        state = masked.update(state, logits(*[(5, 0.5 + 0.1 * i) for i in range(4)]), how, NOISE)
        decided.append(4 - state.holes[0].count(_))
    assert decided == [4 - int(4 * (1 - (i + 1) / 64)) for i in range(len(decided))]
