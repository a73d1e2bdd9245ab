"""Every baseline of the table answers, on one tiny random model."""

from __future__ import annotations

import pytest

from model_runtime.baselines.registry import BASELINES, changed, prefill
from model_runtime.inference.engine import Engine, Fill
from tests.model_runtime.baselines.conftest import REQUEST


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_answers(name: str, engine: Engine) -> None:
    prefill(engine, REQUEST)
    fill = BASELINES[name].make(engine)(REQUEST)
    assert isinstance(fill, Fill)
    assert len(fill.texts) == 1
    assert 0 <= fill.confidence <= 1
    assert fill.texts == BASELINES[name].make(engine)(REQUEST).texts
    if name.startswith("denoiser-"):
        assert fill.steps <= int(name.partition("-")[2])
        assert set(fill.sources) <= {"denoiser"}


def test_a_variant_is_the_same_model(engine: Engine) -> None:
    other = changed(engine, lambda profile: profile)
    assert other.denoiser is engine.denoiser
    assert other.run(REQUEST).texts == engine.run(REQUEST).texts
