"""Devices: what there is, what cannot be used, and why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import checkpoint, devices
from model_runtime.loading.devices import resolve_device
from model_runtime.network import arithmetic, memory_budget
from model_runtime.prompting.infillers import OPEN_DCODER
from tests.support import tiny_infiller
from tests.support.paths import ROOT


def test_an_unknown_device_is_a_one_line_error() -> None:
    with pytest.raises(ModelError, match="cannot be used here"):
        resolve_device("warp-drive")


@pytest.mark.parametrize(
    ("kind", "device", "capability", "says"),
    [
        ("fp8", "cuda", (8, 0), "this one has 8.0; set infill.quantization to int8"),
        ("fp8", "cuda", (8, 9), None),
        ("int8", "cuda", (7, 0), None),
        ("fp8", "mps", None, "Apple's GPUs have no fp8; set infill.quantization to int8"),
        ("int4", "mps", None, None),
        ("fp8", "cpu", None, None),
    ],
)
def test_what_a_device_cannot_do(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    device: str,
    capability: tuple[int, int] | None,
    says: str | None,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    found = devices.capability_problem(kind, torch.device(device))
    assert (found is None) if says is None else (found is not None and found.endswith(says))


def test_the_program_prints_what_it_found() -> None:
    program = [sys.executable, "-m", "model_runtime.loading.devices", "embedded"]
    told = json.loads(subprocess.run(program, cwd=ROOT, capture_output=True, check=True).stdout)
    assert told["torch"] == torch.__version__
    assert "cpu" in told["devices"]
    assert told["devices"]["cpu"] is None
    assert told["cpu"] == {
        "fastest": arithmetic.best(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    assert told["model"]["needs"]["none"] > told["model"]["disk"] > told["model"]["parameters"] > 0


def test_a_model_that_is_not_there_is_a_problem() -> None:
    assert "there is no folder" in str(devices.model_report("/no/such/folder")["problem"])


def test_a_masked_diffusion_model_is_counted_with_its_window(tmp_path: Path) -> None:
    """With what its own loader counts: the logits of a hole, no canvas."""
    folder = tiny_infiller.write(tmp_path, OPEN_DCODER, tied=True)
    told = devices.model_report(str(folder))
    found = checkpoint.examine(folder, "x")
    working = memory_budget.Working.of_window(found.vocabulary, found.keys, memory_budget.WINDOW)
    expected = memory_budget.total_bytes(found.weights(), working, "bfloat16", "int4")
    assert found.keys.full > 0
    assert told["needs"]["int4"] == expected  # type: ignore[index]
