"""Timed denoise steps of a toy model: fields and files, not speed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model_runtime.bench import __main__ as bench
from model_runtime.bench import released, steps
from model_runtime.diffusion.interface import DenoiseError

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few shapes, and no threads that wait for each other while other tests run."""
    monkeypatch.setattr(steps, "CANVASES", (48, 64))
    monkeypatch.setattr(steps, "BATCHES", (2, 1))
    monkeypatch.setattr(steps, "PREFIX", 96)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("small")
def test_random_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = tmp_path / "found.json", tmp_path / "found.png"
    options = ["--random-weights", "tiny", "--repeat", "2", "--device", "cpu"]
    assert bench.main([*options, "--json", str(files[0]), "--chart", str(files[1])]) == 0
    result = json.loads(files[0].read_text())
    assert [(one["batch"], one["canvas"]) for one in result["steps"]] == [(1, 48), (1, 64), (2, 48), (2, 64)]
    assert all(one["p50_ms"] > one["floor_ms"] > 0 for one in result["steps"])
    assert result["problems"] == []
    assert files[1].read_bytes().startswith(PNG)
    assert "x floor" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_shapes_that_fail_or_come_too_late_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    denoiser = steps.local_denoiser(released.random_model("tiny", torch.device("cpu")))
    late = steps.measure(denoiser, 1, lambda _: None, seconds=-1)
    assert (late["steps"], len(late["problems"])) == ([], 4)

    def fail(*_: object, **__: object) -> None:
        raise DenoiseError("out of memory")

    monkeypatch.setattr(denoiser, "denoise", fail)
    monkeypatch.setattr(steps, "_experts_touched", lambda *_: 1.0)
    assert steps.measure(denoiser, 1, lambda _: None)["problems"][0].endswith("out of memory")
