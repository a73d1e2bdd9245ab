"""Adapters: learnt, written, applied, merged; refused where they are for another model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch

from model_runtime.diffusion.faults import ModelError
from model_runtime.diffusion.interface import Branch
from model_runtime.inference import engine
from model_runtime.loading import adapters, model
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.training import asked as training_asked
from model_runtime.training import lora, own_code
from tests.support import tiny, tiny_gemma

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
        patch.setattr(training_asked, setting, value)
    for setting, value in {"GROUP": 1, "CHECKED": 4, "WARM_UP": 2}.items():
        patch.setattr(lora, setting, value)
    asked = {"adapter": out, "code": code, "model": name, "device": "cpu", "quantization": "none", "rank": 4}
    lora.learn(argparse.Namespace(**asked, minutes=10, steps=steps, holes=1))
    return json.loads((out / adapters.OWN_FILE).read_text())


def load(folder: Path, adapter: Path | str = "", **changes: str) -> model.Loaded:
    return model.load(Choice(model=str(folder), device="cpu", adapter=str(adapter), **changes))


def score(loaded: model.Loaded) -> list[float]:
    return loaded.denoiser.score([2, *IDS], [], [Branch(IDS[:8])])[0].ids


def test_own_code_is_split_by_file(code: Path) -> None:
    train, test = own_code.documents(code)
    assert len(train) + len(test) == 12
    assert test
    assert {d.path for d in train}.isdisjoint(d.path for d in test)
    assert own_code.documents(code) == (train, test)


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


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """One with values: both sides of each pair are random."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    base = load(tiny_gemma.write(tmp_path / "base")).denoiser.model
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=lora.TARGETS))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    return tmp_path / "adapter"


def test_merged_is_what_it_is_beside(adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoder and decoder share weights and have adapters of their own."""
    base = tmp_path / "base"
    plain, merged = score(load(base)), score(load(base, adapter))
    assert not any("lora" in n for n, _ in load(base, adapter).denoiser.model.named_parameters())
    monkeypatch.setattr(model, "SMALL", 0)
    beside = load(base, adapter, dtype="float32")
    assert any("lora" in n for n, _ in beside.denoiser.model.named_parameters())
    assert merged == pytest.approx(score(beside), abs=1e-3)
    assert merged != pytest.approx(plain, abs=1e-2)
    row_of = beside.denoiser.denoise([2, *IDS], [lora_row()], beside.denoiser.profile.policy, 0)
    assert next(row_of).step == 1


def lora_row():
    from model_runtime.diffusion.interface import Row

    return Row([300] * 4 + [0] * 4, [True] * 4 + [False] * 4)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / adapters.CONFIG_FILE).unlink(), "adapter_config.json is missing; set infill.adapter"),
        (lambda f: (f / adapters.WEIGHTS_FILE).unlink(), "adapter_model.safetensors is missing"),
        (lambda f: (f / adapters.CONFIG_FILE).write_text("{"), "is not JSON"),
        (lambda f: (f / adapters.CONFIG_FILE).write_text('{"peft_type": "IA3"}'), "only LORA is supported"),
        (lambda f: (f / adapters.WEIGHTS_FILE).write_bytes(b"x"), "is damaged"),
    ],
)
def test_a_broken_adapter_is_a_one_line_error(adapter: Path, tmp_path: Path, spoil, says: str) -> None:
    spoil(adapter)
    with pytest.raises(ModelError, match=says) as caught:
        load(tmp_path / "base", adapter)
    assert "\n" not in str(caught.value)


def test_an_adapter_for_another_base(adapter: Path, tmp_path: Path) -> None:
    other = tiny.write_folder(tmp_path / "other")
    with pytest.raises(ModelError, match=r"is for .*, not for this model \(.* features, not"):
        load(other, adapter)
