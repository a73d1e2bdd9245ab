"""The prompts that greedy decoding is given."""

from __future__ import annotations

import pytest

from model_runtime.baselines import greedy, registry
from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.prompting import profiles
from model_runtime.protocol import Fixed, Infill, Slot
from tests.model_runtime.baselines.conftest import PREFIX, REQUEST


def test_what_follows_is_in_sight_of_a_model_that_learnt_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[int], list[int], int]] = []
    write = LocalDenoiser.write

    def noted(denoiser, prompt, head, end, most, beams):
        asked.append((list(prompt), list(head), end))
        return write(denoiser, prompt, head, end, most, beams)

    monkeypatch.setattr(LocalDenoiser, "write", noted)
    tokens = engine.tokens
    before, head = [2, *tokens.encode(PREFIX)], tokens.encode("        self.size =")
    assert greedy.Causal(engine)(REQUEST).texts
    assert asked.pop() == (before, head, tokens.encode("\n")[0])
    learnt = registry.changed(engine, lambda profile: profiles.with_fim(profile, 5, 7))
    assert greedy.Causal(learnt)(REQUEST).texts
    following = [*tokens.encode("\n        return self\n"), 1]
    cut = len(before) - profiles.NEAR
    question = [5, *following, 7, *before[cut:], *head]
    assert asked.pop() == (before[:cut], question, 1)


def test_several_holes_are_not_for_everybody(engine: Engine) -> None:
    two = Infill(0, "", "", (Slot(4), Fixed(" = "), Slot(4), Fixed("\n")))
    with pytest.raises(Unfillable):
        greedy.Causal(engine)(two)
