"""What a run's settings come to, step by step."""

from __future__ import annotations

import pytest

from model_runtime.training.plan import Plan


@pytest.mark.parametrize("pure", [0.0, 0.2, 0.85, 1.0])
def test_the_share_of_canvases_that_are_what_ships(pure: float) -> None:
    plan = Plan("tiny", 600, pure=pure)
    steps = 1000
    conditioned = sum(plan.conditions(step) for step in range(steps)) / steps
    assert conditioned == pytest.approx((1 - pure) / 2, abs=0.002)
    assert plan.full_noise * (1 - conditioned) == pytest.approx(pure, abs=0.002)


def test_canvases_take_turns_with_their_widths_once_they_begin() -> None:
    plan = Plan("tiny", 600, width=96, narrow=(48,), causal_steps=10, canvases=16)
    assert [plan.width_at(step) for step in range(4)] == [96, 48, 96, 48]
    assert [plan.canvases_at(step) for step in (9, 10)] == [0, 16]


def test_a_run_without_canvases_has_examples_instead() -> None:
    plan = Plan("tiny", 600, canvases=5, examples=3, objective="fim")
    assert plan.canvases_at(10_000) == 0
    assert plan.mix.examples == 8
