"""`infill-ls worker`, and what `bench` and `eval` pass on to their processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lsp_server.cli import admin, main


def test_worker_status(run: Callable[..., Result]) -> None:
    result = run("worker", "status")
    assert result.exit_code == 0
    assert "ready: embedded on cpu, pid 4711, up 1 h 1 min, 200 MiB" in result.stdout
    assert "\n1 client, 0 queued, 5 requests, 3 served, refused: 2 busy\n" in result.stdout
    assert "3 suggestions shown, 1 accepted" in result.stdout
    assert "not calibrated: `infill-ls eval --calibrate` does it" in result.stdout
    assert "     total    120.0    200.0    300.0\n     queue      1.0      2.0      3.0" in result.stdout
    assert json.loads(run("worker", "status", "--json").stdout)["pid"] == 4711


def test_worker_that_is_not_running(run: Callable[..., Result]) -> None:
    result = run("worker", "status", "--model", "stopped")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no worker is running; `infill-ls worker start` starts one" in result.stderr
    as_json = run("worker", "status", "--model", "stopped", "--json")
    assert json.loads(as_json.stdout)["state"] == "stopped"
    assert run("worker", "stop", "--model", "stopped").stdout == "no worker was running\n"


def test_worker_start_and_stop(run: Callable[..., Result]) -> None:
    assert run("worker", "start", "--model", "stopped").stdout.startswith("ready")
    assert run("worker", "stop").stdout == "the worker has stopped\n"
    assert json.loads(run("worker", "stop", "--json").stdout) == {"stopped": True}


def test_bench_passes_everything_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[list[str]] = []

    def run(command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        called.append(command[4:])
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(admin.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        main.main, ["bench", "--quick", "--model", "./m", "--json", "a", "--repeat", "3"]
    )
    assert done.exit_code == 7
    assert called == [["--quick", f"--model={tmp_path}/m", "--repeat=3", f"--json={tmp_path}/a"]]


def test_eval_passes_everything_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], cwd: Path, env: dict[str, str]) -> None:
            called.append(command[4:])
            self.waits = 0

        def wait(self) -> int:
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            return 7

    monkeypatch.setattr(admin.subprocess, "Popen", Process)
    monkeypatch.chdir(tmp_path)
    arguments = [
        "eval",
        "a.jsonl",
        "--only",
        "copy",
        "--model",
        "./m",
        "--json",
        "b",
        "--fim",
        "f",
        "--limit",
        "3",
    ]
    assert CliRunner().invoke(main.main, arguments).exit_code == 7
    assert called == [
        [
            "--only=copy",
            f"--model={tmp_path}/m",
            "--limit=3",
            f"--json={tmp_path}/b",
            f"--fim={tmp_path}/f",
            "--",
            f"{tmp_path}/a.jsonl",
        ]
    ]
