"""Adapters: applied, merged; refused where they are for another model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model_runtime.diffusion.faults import ModelError
from model_runtime.diffusion.interface import Branch
from model_runtime.loading import adapters, model
from model_runtime.protocol import Choice
from model_runtime.training import lora
from tests.support import tiny, tiny_gemma

pytest.importorskip("peft")
IDS = list(range(300, 340))


def load(folder: Path, adapter: Path | str = "", **changes: str) -> model.Loaded:
    return model.load(Choice(model=str(folder), device="cpu", adapter=str(adapter), **changes))


def score(loaded: model.Loaded) -> list[float]:
    return loaded.denoiser.score([2, *IDS], [], [Branch(IDS[:8])])[0].ids


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
