"""Profiles made from a checkpoint's own files."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model_runtime.diffusion.hole_length import CandidateLengths, FillerEnds
from model_runtime.diffusion.policy import Policy
from model_runtime.prompting import profiles
from model_runtime.prompting.profiles import EMBEDDED, Profile


def of_chat(canvas: int = 256, **generation: Any) -> Profile:
    return profiles.of_chat(generation=generation, canvas=canvas, bos=2, pad=0, special=frozenset({105}))


def accepted(policy: Policy, entropies: list[float]) -> int:
    row = torch.tensor([entropies])
    return int(policy.accept(row, torch.ones_like(row, dtype=torch.bool)).sum())


@pytest.mark.parametrize(
    ("generation", "answer_steps", "hole_steps", "temperatures", "taken"),
    [
        ({}, 48, 24, (0.4, 0.8), 2),  # what transformers takes
        ({"max_denoising_steps": 6}, 6, 6, (0.4, 0.8), 2),
        ({"max_denoising_steps": None, "t_min": 0.1, "t_max": 0.3}, 48, 24, (0.1, 0.3), 2),
        ({"sampler_config": {"entropy_bound": 0.2}}, 48, 24, (0.4, 0.8), 3),
        ({"sampler_config": None}, 48, 24, (0.4, 0.8), 2),
    ],
)
def test_the_sampler_is_the_checkpoints(
    generation: dict[str, Any],
    answer_steps: int,
    hole_steps: int,
    temperatures: tuple[float, float],
    taken: int,
) -> None:
    profile = of_chat(**generation)
    assert profile.answer
    assert (profile.answer.max_steps, profile.policy.max_steps) == (answer_steps, hole_steps)
    for policy in (profile.policy, profile.answer):
        found = policy.temperature(0, 10), policy.temperature(10, 10)
        assert found == pytest.approx(temperatures)
        assert accepted(policy, [0.09] * 4) == taken


@pytest.mark.parametrize("canvas", [48, 256])
def test_what_is_pinned_leaves_room_for_a_hole(canvas: int) -> None:
    profile = of_chat(canvas)
    assert profile.canvas == canvas
    assert profile.slot < canvas
    assert profile.head + profile.suffix <= canvas // 2
    assert isinstance(profile.length, CandidateLengths)
    assert profile.special == {105}


def test_a_filler_ends_holes_and_the_wait_for_them() -> None:
    plain = of_chat()
    taught = profiles.with_filler(plain, 7)
    assert (taught.filler, taught.length) == (7, FillerEnds(7))
    best = torch.tensor([[9, 7, 9, 7]])
    assert taught.policy.relevant(best).tolist() == [[True, True, False, False]]
    assert plain.policy.relevant(best).bool().all()
    assert taught.answer is plain.answer, "a whole answer has no filler"


def test_the_embedded_model_has_room_for_what_it_was_trained_on() -> None:
    p = EMBEDDED
    assert p.head + p.slot + 1 + p.suffix <= p.canvas
    assert p.filler is not None
    assert p.filler < p.first_text_id, "never noise"
    assert p.policy.relevant(torch.tensor([[9, p.filler, 9]])).tolist() == [[True, True, False]]
