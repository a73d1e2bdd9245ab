"""Measuring lengths on a loaded engine, and using what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.inference import length_calibration
from model_runtime.inference.engine import load_engine, with_bias
from model_runtime.loading import length_bias
from model_runtime.loading.length_bias import LengthBias
from model_runtime.prompting.infillers import DREAMON, OPEN_DCODER
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from tests.model_runtime.inference.by_size import engine
from tests.support import tiny_infiller

HOLE = Infill(0, "d", "x = 1\n", (Fixed("y = "), Slot(6), Fixed("\nz\n")))


def test_every_length_is_told_by_its_mean() -> None:
    two = Infill(0, "d", "", (Slot(2), Fixed("x"), Slot(2), Fixed("")))
    found = list(length_calibration.first_steps(engine(OPEN_DCODER), [HOLE, two]))
    assert found == [pytest.approx({1: -0.1, 2: -0.2, 4: -0.4, 6: -0.6})]


def test_a_model_with_lengths_of_its_own_has_none() -> None:
    with pytest.raises(Unfillable, match="finds the length of a hole itself"):
        next(length_calibration.first_steps(engine(DREAMON), [HOLE]))


def test_a_worker_reads_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(tmp_path / "cache"))
    choice = Choice(model=str(tiny_infiller.write(tmp_path / "m", OPEN_DCODER, tied=True)), device="cpu")
    bias = LengthBias((1, 4), (-0.5, -2.0))
    length_bias.save(choice, bias)
    loaded = load_engine(choice)
    assert isinstance(loaded.tokens.profile.length, CandidateLengths)
    assert loaded.tokens.profile.length.bias == bias
    assert set(next(length_calibration.first_steps(loaded, [HOLE]))) == {1, 2, 4, 6}


def test_other_policies_have_no_bias() -> None:
    tokens = engine(DREAMON).tokens
    assert with_bias(tokens, LengthBias((1,), (0.0,))) is tokens
