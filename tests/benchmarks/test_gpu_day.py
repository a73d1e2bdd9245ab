"""The three phases at toy size on this processor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu_day
from tests.model_runtime.training.test_token_file import packed
from tests.support.paths import ROOT


def rehearse(*phases: list[str]) -> None:
    """One after another in one process: it imports torch once."""
    code = f"""
from benchmarks import gpu_day
gpu_day.KINDS = ("int8", "int4")
assert not sum(gpu_day.main(each) for each in {list(phases)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=560)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_three_phases(tmp_path: Path) -> None:
    """Training goes on where it was, and its weights come home in pieces; the engine's tests are run."""
    tokens = str(packed(tmp_path / "corpus.xz"))
    work, outs = tmp_path / "work", [tmp_path / name for name in ("first", "again", "rest")]
    common = ["--toy", "--work", str(work), "--tokens", tokens]
    phases = zip(("train", "train", "bench", "tests"), (*outs, outs[2]), strict=True)
    rehearse(*([*common, "--phase", phase, "--out", str(out)] for phase, out in phases))
    first, again = (json.loads((out / "train.json").read_text()) for out in outs[:2])
    steps = gpu_day.TOY_STEPS
    assert first["progress"]["step"] == 2 * steps  # the anneal is a branch: the trunk has half of them
    assert again["progress"]["step"] == 3 * steps
    assert again["tokens_per_s"] > 0
    assert again["share_of_peak"] > 0
    assert len(again["pieces"]) == 1
    assert gpu_day.joined(outs[1]).read_bytes() == (work / "model.int8.safetensors").read_bytes()
    measured = json.loads((outs[2] / "bench.json").read_text())
    assert [measured["failed"], measured["int4"]["failed"]] == [{}, {}]
    assert measured["int4"]["weights_bytes"] < measured["weights_bytes"]
    assert "2 passed" in json.loads((outs[2] / "tests.json").read_text())["said"]


def test_pieces_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_day, "PIECE", 10)
    whole = tmp_path / "model.int8.safetensors"
    whole.write_bytes(bytes(range(35)))
    assert gpu_day.split(whole, tmp_path) == [f"model.int8.safetensors.{number:02d}" for number in range(4)]
    whole.unlink()
    assert gpu_day.joined(tmp_path).read_bytes() == bytes(range(35))


def test_what_lasts_too_long_is_ended_and_what_it_said_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(command: list[str], **how: object) -> None:
        raise subprocess.TimeoutExpired(command, 1, output=b"begun")

    monkeypatch.setattr(gpu_day.subprocess, "run", late)
    assert gpu_day.run(["anything"], seconds=1) == {"status": 124, "said": "begun"}
