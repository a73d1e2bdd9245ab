"""Lengths are measured at the places of a file, by what an editor would ask there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import calibrate_lengths
from evaluation.calibrate import CannotCalibrate
from evaluation.places import Place
from lsp_server.config.settings import Settings
from model_runtime.loading import length_bias
from model_runtime.prompting.infillers import DREAMON, OPEN_DCODER, Infiller
from tests.model_runtime.inference.by_size import engine

PLACES = [
    Place("line", f"p/{n}.py", f"a{n} = 1\nb = a{n} + ", "\nprint(b)\n", "2")
    for n in range(length_bias.FEWEST)
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(tmp_path))


def has(monkeypatch: pytest.MonkeyPatch, record: Infiller) -> Settings:
    monkeypatch.setattr(calibrate_lengths, "load_engine", lambda choice: engine(record))
    return Settings(model="/models/mine")


async def test_what_is_measured_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = has(monkeypatch, OPEN_DCODER)
    said = await calibrate_lengths.run(settings, PLACES)
    kept = length_bias.load(settings.choice)
    assert kept
    assert kept(1) == pytest.approx(-0.1)
    assert kept(8) == pytest.approx(-0.8)
    assert f"at {len(PLACES)} places: 1: -0.10, 2: -0.20, " in said
    assert str(length_bias.path(settings.choice)) in said


async def test_what_cannot_be_measured_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = has(monkeypatch, OPEN_DCODER)
    with pytest.raises(CannotCalibrate, match="3 holes could be asked about, at least 20"):
        await calibrate_lengths.run(settings, PLACES[:3])
    with pytest.raises(CannotCalibrate, match="leave out --backend"):
        await calibrate_lengths.run(replace(settings, backend="vllm"), PLACES)
    with pytest.raises(CannotCalibrate, match="finds the length of a hole itself"):
        await calibrate_lengths.run(has(monkeypatch, DREAMON), PLACES)
    assert length_bias.load(settings.choice) is None
