"""Adapters that are learnt, written and loaded again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from model_runtime.diffusion.interface import Branch
from model_runtime.inference import engine
from model_runtime.loading import adapters, model
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.training import adapter_batches, lora
from tests.support import tiny_gemma

pytest.importorskip("peft")
IDS = list(range(300, 340))


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    for n in range(12):
        lines = [f"value_{k} = compute(value_{k - 1}, {k})" for k in range(1, 40)]
        (folder / f"module_{n}.py").write_text("\n".join(lines) + "\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.py").write_text("x = 1\n" * 100)
    (folder / "short.py").write_text("x = 1\n")
    return folder


def learnt(name: str, code: Path, out: Path, steps: int, patch: pytest.MonkeyPatch) -> dict:
    """Small steps: this is about the way, not about how far one gets."""
    for setting, value in {"CANVASES": 2, "LENGTH": 96}.items():
        patch.setattr(adapter_batches, setting, value)
    for setting, value in {"GROUP": 1, "CHECKED": 4, "WARM_UP": 2}.items():
        patch.setattr(lora, setting, value)
    options = {
        "adapter": out,
        "code": code,
        "model": name,
        "device": "cpu",
        "quantization": "none",
        "rank": 4,
    }
    lora.learn(argparse.Namespace(**options, minutes=10, steps=steps, holes=1))
    return json.loads((out / adapters.OWN_FILE).read_text())


def load(folder: Path, adapter: Path | str = "", **changes: str) -> model.Loaded:
    return model.load(Choice(model=str(folder), device="cpu", adapter=str(adapter), **changes))


def score(loaded: model.Loaded) -> list[float]:
    return loaded.denoiser.score([2, *IDS], [], [Branch(IDS[:8])])[0].ids


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_adapter_improves_held_out_holes_of_its_code(
    code: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the embedded model, through its engine."""
    out = tmp_path / "adapter"
    facts = learnt("embedded", code, out, 24, monkeypatch)
    assert facts["after"]["loss"] < facts["before"]["loss"] - 0.1
    assert "before: loss" in capsys.readouterr().out
    hole = Infill(id=0, document="", prefix="value_1 = compute(\n", canvas=(Fixed("x"), Slot(8), Fixed("\n")))
    plain, adapted = (
        engine.load_engine(Choice(device="cpu", adapter=path)).run(hole) for path in ("", str(out))
    )
    assert adapted.complete
    assert adapted.confidence != plain.confidence


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_that_never_ended_a_hole_learns_a_filler(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_gemma.write(tmp_path / "model")
    facts = learnt(str(folder), code, tmp_path / "adapter", 2, monkeypatch)
    assert facts["filler"] == tiny_gemma.SPECIAL["<mask>"]
    profile = load(folder, tmp_path / "adapter").prompting.tokens.profile
    assert profile.filler == facts["filler"]
    assert profile.length.sizes(8) == [9]
    quantised = load(folder, tmp_path / "adapter", quantization="int8")
    assert len(score(quantised)) == 8
