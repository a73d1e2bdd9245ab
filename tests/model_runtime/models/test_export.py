"""Checkpoints written for others: read back by transformers and ourselves; by vLLM in tests/real_vllm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, DiffusionGemmaForBlockDiffusion

from model_runtime.diffusion.faults import ModelError
from model_runtime.inference.engine import load_engine
from model_runtime.loading import adapters
from model_runtime.loading.checkpoint import EMBEDDED_FOLDER
from model_runtime.models.export import FORMS, Form, export
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.training import lora
from tests.support import tiny, tiny_gemma
from tests.support.paths import ROOT

HOLE = Infill(id=0, document="", prefix="import os\n", canvas=(Fixed("x = os.path."), Slot(8), Fixed("\n")))


def read(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / name).read_bytes())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Trained here and packed, trained here and whole, released."""
    folder = tmp_path_factory.mktemp("models")
    whole, released = tiny.write_folder(folder / "whole"), tiny_gemma.write(folder / "released")
    return {"embedded": "embedded", "whole": str(whole), "released": str(released)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["embedded", "whole", "released"])
def test_others_read_what_we_read(models: dict[str, str], name: str, form: Form, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(models[name], "", form, out)
    both = (Choice(model=model, device="cpu", dtype="float32") for model in (models[name], str(out)))
    ours, again = map(load_engine, both)
    expected, found = ours.run(HOLE), again.run(HOLE)
    assert found.texts == expected.texts
    assert found.confidence == pytest.approx(expected.confidence, rel=1e-3)
    theirs: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(out, dtype=torch.float32)
    ids = torch.tensor([[2, *range(300, 340)]])
    canvas = torch.full((1, theirs.config.canvas_length), 300)
    logits = theirs(ids, decoder_input_ids=canvas).logits
    loaded: Any = ours.denoiser.model if name != "embedded" else None
    if loaded:
        assert torch.allclose(loaded(ids, decoder_input_ids=canvas).logits, logits, atol=1e-4)
    assert theirs.generation_config.max_denoising_steps
    text = "def f(x):\n    return x\n"
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ours.tokens.encode(text)


def test_vllm_gets_the_parts_that_it_wants(models: dict[str, str], tmp_path: Path) -> None:
    for name, model in models.items():
        export(model, "", "vllm", tmp_path / name)
        export(model, "", "hf", tmp_path / f"{name}-hf")
        assert read(tmp_path / name, "config.json")["vision_config"]["default_output_length"] == 70
        assert read(tmp_path / name, "generation_config.json")["stability_threshold"] == 1
        assert read(tmp_path / name, "tokenizer_config.json")["tokenizer_class"]
        weights = {
            k: v for path in (tmp_path / name).glob("*.safetensors") for k, v in load_file(path).items()
        }
        assert all(weight.is_floating_point() for weight in weights.values())
        said = "default_output_length" in read(tmp_path / f"{name}-hf", "config.json")["vision_config"]
        assert said is (name == "released"), "for others only what the checkpoint has itself"
    for file in ("calibration.json", "calibration.denoised.json"):
        assert (tmp_path / "embedded" / file).read_bytes() == (EMBEDDED_FOLDER / file).read_bytes()
    given = read(tmp_path / "released", "generation_config.json")
    assert given["eos_token_id"] == [1, 106, 50], "the checkpoint's own values stay"
    assert (tmp_path / "released" / "chat_template.jinja").is_file()


def adapter_for(model: str, out: Path, *, shared: bool) -> Path:
    """One with values."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    base: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(model, dtype=torch.float32)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=lora.TARGETS))
    if shared:
        lora.share(adapted)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    adapted.save_pretrained(str(out), save_embedding_layers=False)
    (out / adapters.OWN_FILE).write_text('{"filler": 4}')
    return out


def test_an_adapter_is_merged(models: dict[str, str], tmp_path: Path) -> None:
    adapter = adapter_for(models["released"], tmp_path / "adapter", shared=True)
    export(models["released"], str(adapter), "vllm", tmp_path / "out")
    beside = load_engine(Choice(model=models["released"], device="cpu", adapter=str(adapter)))
    merged = load_engine(Choice(model=str(tmp_path / "out"), device="cpu"))
    assert merged.tokens.profile.filler == 4, "as the adapter taught it"
    assert merged.run(HOLE).texts == beside.run(HOLE).texts
    assert merged.run(HOLE).confidence == pytest.approx(beside.run(HOLE).confidence, rel=1e-2)
    plain = {
        k: v for path in Path(models["released"]).glob("*.safetensors") for k, v in load_file(path).items()
    }
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert written.keys() == plain.keys(), "each weight once, by the same name"
    assert {
        name.rpartition(".layers.0.")[2] for name in plain if not torch.equal(plain[name], written[name])
    } >= {
        "self_attn.q_proj.weight",
        "mlp.up_proj.weight",
    }


def test_an_adapter_with_two_sides_is_refused(models: dict[str, str], tmp_path: Path) -> None:
    adapter = adapter_for(models["released"], tmp_path / "adapter", shared=False)
    with pytest.raises(ModelError, match=r"changes encoder and decoder differently.*learn it anew"):
        export(models["released"], str(adapter), "hf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_leaves_nothing(models: dict[str, str], tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("x")
    broken = tmp_path / "broken"
    export(models["whole"], "", "hf", broken)
    (broken / "model.safetensors").write_bytes(b"\0" * 64)
    packed = tmp_path / "packed"
    export(models["whole"], "", "hf", packed)
    config = read(packed, "config.json") | {"quantization_config": {"quant_method": "fp8"}}
    (packed / "config.json").write_text(json.dumps(config))
    wrong = {
        (models["whole"], str(full)): "is there already; name an empty folder",
        (str(broken), str(tmp_path / "a")): "is damaged",
        (str(packed), str(tmp_path / "b")): "comes quantised .fp8.; name it to the server as it is",
        (str(tmp_path / "none"), str(tmp_path / "c")): "there is no folder",
        (models["whole"], "/proc/none"): "cannot be written",
    }
    for (model, out), message in wrong.items():
        with pytest.raises(ModelError, match=message):
            export(model, "", "hf", Path(out))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "full", "packed"]
    assert [path.name for path in full.iterdir()] == ["mine"]


def test_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lsp_server", "models", "export", "--for", "vllm", str(tmp_path / "out")]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100) for _ in range(2)
    )
    assert (first.returncode, first.stdout.strip()) == (0, str(tmp_path / "out")), first.stderr
    assert "vllm serve" in first.stderr
    assert (second.returncode, second.stdout) == (1, "")
    assert "name an empty folder" in second.stderr
