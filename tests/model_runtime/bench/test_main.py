"""The command: what it cannot do, and the real one on a tiny random model. Fields and files, not speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_runtime.bench import __main__ as bench
from tests.support import tiny
from tests.support.paths import ROOT

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_folder(tmp_path_factory.mktemp("model"))


def test_quick(folder: Path, tmp_path: Path) -> None:
    """The real command, as a user starts it."""
    files = tmp_path / "found.json", tmp_path / "found.png"
    options = ("--quick", "--repeat", "1", "--model", folder, "--json", files[0], "--chart", files[1])
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "bench", "--device", "cpu", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(files[0].read_text())
    for name in ("warm", "cold", "generate"):
        assert result[name].keys() >= {"p50_ms", "p90_ms", "ratio_to_generate", "tokens_per_s", "cache_bytes"}
        assert result[name]["p50_ms"] > 0
    assert result["generate"]["ratio_to_generate"] == 1
    assert result["generate"]["steps"] == 48  # random weights are never sure
    assert result.keys() >= {"hardware", "torch", "transformers", "commit", "date", "threads", "cases"}
    assert files[1].read_bytes().startswith(PNG)
    assert "engine, warm" in done.stdout
    assert "generate" in done.stdout
    assert "compile: skipped" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--repeat", "0"], 2, "'0' is not a whole number"),
        (["--repeat", "x"], 2, "'x' is not a whole number"),
        (["--json", "/no/such/folder/file"], 2, "cannot be written"),
        (["--chart", "/"], 2, "cannot be written"),
        (["--random-weights", "9b"], 2, "invalid choice"),
        (["--random-weights", "tiny", "--model", "embedded"], 2, "leave --model out"),
        (["--fast"], 2, "--fast"),
        (["--model", "/no/such/model"], 1, "no folder /no/such/model"),
        (["--device", "tpu"], 1, "'tpu' cannot be used"),
        (["--random-weights", "26b", "--device", "cpu"], 1, "63 GB free (50.5 GB of weights)"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], status: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--device" in arguments and "--random-weights" not in arguments:
        arguments = [*arguments, "--model", str(folder)]
    try:
        found: Any = bench.main(arguments)
    except SystemExit as exit:
        found = exit.code
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("loading")]
    assert (found, out, len(lines)) == (status, "", 1), err
    assert said in lines[0]


def test_a_missing_matplotlib_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert bench.main(["--random-weights", "tiny", "--chart", str(tmp_path / "x.png")]) == 1
    (said,) = capsys.readouterr().err.splitlines()[1:]
    assert said.startswith("--chart needs matplotlib, not installed here; run `")
    assert said.endswith("-m pip install matplotlib`")
