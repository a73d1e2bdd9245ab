"""The worker, and all checks together as the command runs them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lsp_server.cli import main
from lsp_server.doctor import checkup, machine
from model_runtime.loading import devices
from model_runtime.loading.devices import model_report
from model_runtime.protocol import Refused, Status
from tests.lsp_server.doctor.findings import check


def status(**changes: Any) -> Status:
    values = {"id": 0, "pid": 1, "state": "ready", "model": "m", "device": "cpu", "message": ""}
    values |= {"progress": 1.0, "memory_bytes": 0, "clients": 1, "queued": 0, "served": 0}
    return Status(**{**values, "p50_ms": None, "p90_ms": None, **changes})


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (Refused(0, "worker-lost", "no worker is running"), "ok", ["none is running"]),
        (Refused(0, "worker-lost", "the worker speaks version 9"), "problem", ["worker stop"]),
        (status(), "ok", ["ready"]),
        (status(state="failed", message="no such model"), "problem", ["no such model"]),
        (status(requests=100, refused={"deadline": 60}), "warning", ["60 deadline", "infill.deadlineMs"]),
        (status(requests=100, refused={"superseded": 60}), "ok", []),
    ],
)
def test_worker(answer: Status | Refused, level: str, words: list[str]) -> None:
    check(checkup.status(answer), level, *words)


def test_what_torch_finds() -> None:
    assert "cpu" in devices.report()["devices"]  # type: ignore[operator]
    found = checkup.devices()
    assert "embedded" in checkup.devices("embedded")["model"]["folder"]
    assert list(found["devices"]) == list(devices.report()["devices"])  # type: ignore[call-overload]


def test_whether_other_files_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n!\n")
    error, skipped = checkup.reader_report(tmp_path)
    assert error == ""
    assert [line for line in skipped if line.startswith(str(tmp_path))] == [
        f"{tmp_path / '.gitignore'}, line 2: '!' is no pattern"
    ]
    monkeypatch.setattr(checkup.child_process, "command", lambda module: [sys.executable, "-c", "1 / 0"])
    assert "ZeroDivisionError" in checkup.reader_report(tmp_path)[0]


@pytest.mark.parametrize(("model", "status"), [("embedded", 0), ("/no/such/model", 1), ("org/name", 1)])
def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, status: int) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    told = {"devices": {"cpu": None}, "model": model_report(model)}  # without loading torch
    monkeypatch.setattr(checkup, "devices", lambda model="": told)
    for name in (*machine.PROXIES, *machine.AUTHORITIES):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main.main, ["doctor", "--model", model])
    assert result.exit_code == status, result.output
    as_json = CliRunner().invoke(main.main, ["doctor", "--model", model, "--json"])
    report = json.loads(as_json.stdout)
    assert report["ok"] == (status == 0)
    names = [finding["name"] for finding in report["findings"]]
    assert names[:7] == ["model", "memory", "device", "grammars", "socket", "log", "context"]
    assert "worker" in names
    shown = without_numbers(result.output)
    for finding in report["findings"]:
        line = f"{finding['level']:<8} {finding['name']}: {finding['message']}"
        assert without_numbers(line) in shown


def without_numbers(text: str) -> str:
    """What is free changes from one run to the next."""
    return re.sub(r"\d+(?:\.\d+)?", "N", text)
