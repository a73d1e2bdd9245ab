"""Rounds at one setting: what the model cannot do is noted, and no round begins too late."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from model_runtime.bench import cases
from model_runtime.bench.race import Race
from model_runtime.inference.engine import Engine, load_engine
from model_runtime.loading import model
from model_runtime.protocol import Choice
from tests.support import tiny

SMALL = cases.Setting(prefix=128, hole=8)


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Race:
    choice = Choice(model=str(tiny.write_folder(tmp_path_factory.mktemp("model"))), device="cpu")
    engine = load_engine(choice)
    assert isinstance(engine, Engine)
    stock = model.load(choice, stock=True).denoiser.model
    return Race(engine, stock, lambda line: None, compiled=False)


def test_every_round_has_all_runs(race: Race) -> None:
    found = race.run(SMALL, 1, None)
    counts = {name: len(runs) for name, runs in found.runs.items()}
    assert counts == {cases.COLD: 1, cases.WARM: cases.KEYSTROKES, cases.STOCK: 1, cases.FEWEST: 1}
    for name, prompts in ((cases.COLD, 1), (cases.WARM, 0)):  # its pieces, the steps, and the ranking
        assert all(run.forwards == prompts + run.steps + 1 for run in found.runs[name])
    (fewest,) = found.runs[cases.FEWEST]
    assert (fewest.steps, fewest.forwards) == (1, 2)
    assert found.notes == []


def test_rounds_end_before_the_deadline(race: Race) -> None:
    found = race.run(SMALL, 3, time.monotonic())
    assert len(found.runs[cases.COLD]) == 1
    assert found.notes == ["stopped after 1 of 3 rounds: out of time"]


def test_a_hole_that_is_too_long_is_cut_for_all(race: Race) -> None:
    found = race.run(replace(SMALL, hole=400), 1, None)
    assert (found.asked.hole, found.used.hole) == (400, 47)
    assert found.notes == ["hole of 400 cut to 47 tokens, the most of this model (for all)"]
