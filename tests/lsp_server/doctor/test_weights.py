"""The model, whole and damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lsp_server.doctor import weights
from model_runtime.loading import checkpoint
from model_runtime.loading.devices import model_report
from tests.lsp_server.doctor.findings import check
from tests.support import tiny_gemma


def test_a_model_that_is_whole(tmp_path: Path) -> None:
    told = model_report("embedded")
    check(weights.check("embedded", told), "ok", "the embedded model: ", "M parameters", "MB on disk")
    assert told["disk"] == (checkpoint.EMBEDDED_FOLDER / checkpoint.PACKED_FILE).stat().st_size
    folder = tiny_gemma.write(tmp_path)
    check(weights.check(str(folder), model_report(str(folder))), "ok", str(folder))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, ["there is no folder", "infill.model"]),
        (
            lambda folder: (folder / "config.json").unlink(),
            ["config.json is missing", "copy the model again"],
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "llama"}'),
            ["is a 'llama'", "`infill-ls models list`"],
        ),
        (lambda folder: next(folder.glob("*.safetensors")).unlink(), ["lacks model-", "copy"]),
        (lambda folder: next(folder.glob("*.safetensors")).write_bytes(b"no"), ["is damaged", "copy"]),
    ],
)
def test_a_model_that_is_not(tmp_path: Path, damage: Callable[[Path], None], words: list[str]) -> None:
    """What can be wrong with files is in test_checkpoint; here, that it arrives."""
    folder = tiny_gemma.write(tmp_path / "model")
    damage(folder)
    check(weights.check(str(folder), model_report(str(folder))), "problem", *words)


def test_a_model_of_which_nothing_can_be_told() -> None:
    check(weights.check("x", {}), "problem", "could not be looked at")
    check(weights.check("a/b", model_report("a/b")), "problem", "infill-ls models download a/b")


@pytest.mark.parametrize(("device", "each"), [("cpu", 4), ("auto", 4), ("cuda:0", 2), ("xpu", 2)])
def test_memory_need(device: str, each: int) -> None:
    assert weights.memory_need(1000, device) == each * 1000
