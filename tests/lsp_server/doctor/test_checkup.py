"""Each finding of `infill-ls doctor`, on something that is really so."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lsp_server.cli import main
from lsp_server.config.settings import Settings
from lsp_server.doctor import checkup, editors, machine, servers, weights
from lsp_server.doctor.finding import Finding
from lsp_server.text.languages import LANGUAGES
from model_runtime.loading import checkpoint, devices
from model_runtime.loading.devices import model_report
from model_runtime.protocol import Refused, Status
from tests.support import tiny_gemma
from tests.support.paths import ROOT
from tests.support.servers import free_port, started

GIB = 2**30
not_root = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read and write everything"
)


def check(finding: Finding, level: str, *words: str) -> None:
    assert finding.level == level, finding
    assert bool(finding.remedy) == (level != "ok"), finding
    said = f"{finding.message} {finding.remedy}"
    assert "\n" not in said
    assert all(word in said for word in words), finding


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


@pytest.mark.parametrize(
    ("available", "need", "level"),
    [(8 * GIB, GIB, "ok"), (2 * GIB, GIB, "warning"), (GIB, GIB, "problem"), (50 * GIB, 60 * GIB, "problem")],
)
def test_memory(available: int, need: int, level: str) -> None:
    check(machine.memory(available, need), level, "GiB")


@pytest.mark.parametrize(
    ("wanted", "report", "level", "words"),
    [
        ("auto", {"devices": {"cpu": None}, "torch": "2"}, "ok", ["cpu"]),
        ("auto", {"devices": {"cuda:0": 8 * GIB, "cpu": None}}, "ok", ["cuda:0"]),
        ("cuda", {"devices": {"cuda:0": 8 * GIB, "cpu": None}}, "ok", ["cuda:0"]),
        ("cuda:1", {"devices": {"cuda:0": 8 * GIB, "cpu": None}}, "problem", ["no cuda:1", "auto"]),
        ("cuda", {"devices": {"cpu": None}}, "problem", ["no cuda"]),
        ("auto", {"devices": {"cuda:0": GIB, "cpu": None}}, "problem", ["1.0 GiB free", "cpu"]),
        ("auto", {"error": "libtorch.so: not found"}, "problem", ["libtorch.so", "install"]),
    ],
)
def test_device(wanted: str, report: dict[str, Any], level: str, words: list[str]) -> None:
    check(machine.device(wanted, report, need=2 * GIB), level, *words)


def test_grammars() -> None:
    check(machine.grammars(LANGUAGES), "ok", "python")
    gone = dataclasses.replace(LANGUAGES[0], grammar="tree_sitter_gone")
    wrong = dataclasses.replace(LANGUAGES[0], grammar="json")
    check(machine.grammars([gone]), "problem", "tree-sitter-gone")
    check(machine.grammars([wrong]), "problem", "json")


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such modes there")
def test_runtime_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    socket = folder / "w.sock"
    check(machine.runtime_folder(folder, socket, longest=200), "ok", str(socket))
    check(machine.runtime_folder(folder, socket, longest=10), "problem", "too long", "INFILL_LS_RUNTIME_DIR")
    check(machine.runtime_folder(tmp_path / "gone", socket, longest=200), "problem", "No such file")
    folder.chmod(0o755)
    check(machine.runtime_folder(folder, socket, longest=200), "problem", f"chmod 700 {folder}")
    if os.geteuid() == 0:
        folder.chmod(0o700)
        os.chown(folder, 12345, -1)
        check(machine.runtime_folder(folder, socket, longest=200), "problem", "another user")


def test_log(tmp_path: Path) -> None:
    check(machine.log(tmp_path / "log", 10 * GIB), "ok")
    check(machine.log(tmp_path / "no" / "log", 10 * GIB), "ok")
    check(machine.log(tmp_path / "log", 1000), "warning", "free some space")


@not_root
def test_a_log_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    check(machine.log(tmp_path / "log", 10 * GIB), "warning", "chmod")


@pytest.mark.parametrize(
    ("environment", "level", "words"),
    [
        ({}, "ok", ["directly"]),
        ({"HTTPS_PROXY": "http://me:secret@proxy:3128"}, "ok", ["http://proxy"]),
        ({"https_proxy": "proxy:3128"}, "problem", ["not a URL"]),
        ({"SSL_CERT_FILE": __file__}, "ok", ["SSL_CERT_FILE"]),
        ({"REQUESTS_CA_BUNDLE": "/no/such/file"}, "problem", ["cannot be read", "unset"]),
        ({"HF_HUB_OFFLINE": "1"}, "warning", ["nothing can be downloaded"]),
    ],
)
def test_network(environment: dict[str, str], level: str, words: list[str]) -> None:
    (finding,) = machine.network(environment)
    check(finding, level, *words)
    assert "secret" not in finding.message


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


def test_editors(tmp_path: Path) -> None:
    home, programs = tmp_path / "home", tmp_path / "bin"
    programs.mkdir()

    def install(name: str, says: str) -> None:
        (programs / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (programs / name).chmod(0o755)

    def which(name: str) -> str | None:
        return shutil.which(name, path=str(programs))

    nothing, not_on_path = editors.check(home, which)
    check(nothing, "warning", "none of nvim")
    check(not_on_path, "warning", "infill-ls is not on the PATH")
    install("infill-ls", "")
    install("nvim", "NVIM v0.10.4\nBuild type: Release")
    check(editors.check(home, which)[0], "warning", "0.10.4", "0.11")
    install("nvim", "NVIM v0.12.4")
    check(editors.check(home, which)[0], "warning", "no mention")
    plugin = home / ".local" / "share" / "nvim" / "site" / "pack" / "infill" / "start" / "infill" / "lsp"
    plugin.mkdir(parents=True)
    shutil.copy(ROOT / "editor-clients" / "neovim" / "lsp" / "infill_ls.lua", plugin)
    check(editors.check(home, which)[0], "ok", "0.12.4", str(plugin / "infill_ls.lua"))
    config = home / ".config" / "nvim" / "init.lua"
    config.parent.mkdir(parents=True)
    config.write_text("vim.g.infill = { keys = { accept = '<Tab>' } }")
    install("hx", "no version")
    neovim, helix = editors.check(home, which)
    check(neovim, "ok", "0.12.4", str(config))
    check(helix, "warning", "unknown version")


def test_an_editor_that_does_not_say_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editors, "VERSION_S", 0.2)
    (tmp_path / "slow").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "slow").chmod(0o755)
    assert editors.version(str(tmp_path / "slow")) == ()
    assert editors.version(str(tmp_path / "gone")) == ()


def test_what_torch_finds() -> None:
    assert "cpu" in devices.report()["devices"]  # type: ignore[operator]
    found = checkup.devices()
    assert "embedded" in checkup.devices("embedded")["model"]["folder"]
    assert list(found["devices"]) == list(devices.report()["devices"])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("settings", "report", "key", "expected"),
    [
        (
            {"backend_url": "https://gpu"},
            {"servers": [["https://gpu", True, "m denoises on its canvas"]]},
            "k",
            [("ok", "INFILL_LS_API_KEY is set"), ("ok", "https://gpu: m denoises on its canvas")],
        ),
        (
            {"backend_url": "http://gpu,http://127.0.0.1:1"},
            {
                "servers": [
                    ["http://gpu", True, "m"],
                    ["http://127.0.0.1:1", False, "http://127.0.0.1:1 is away; go"],
                ]
            },
            "",
            [
                ("ok", "is not set"),
                ("ok", "http://gpu: m"),
                ("warning", "your text goes to http://gpu unencrypted"),
                ("problem", "http://127.0.0.1:1 is away"),
            ],
        ),
        (
            {"backend_url": "http://localhost", "device": "cuda"},
            {"servers": [["http://localhost", True, "m"]]},
            "k",
            [("ok", "is set"), ("ok", "m"), ("warning", "infill.device cuda has no effect")],
        ),
        (
            {"backend_url": "https://gpu", "adapter": "/mine"},
            {"servers": [["https://gpu", True, "m"]]},
            "k",
            [("ok", "is set"), ("ok", "m"), ("warning", "infill.adapter /mine has no effect on a server")],
        ),
        (
            {"backend_url": "https://gpu", "adapter": "/mine"},
            {"error": "no server; start one"},
            "k",
            [("problem", "no server"), ("warning", "infill.adapter /mine has no effect on a server")],
        ),
        (
            {"backend_url": "https://gpu"},
            {"error": "the tokenizer of x is not on this machine; get it with y"},
            "k",
            [("problem", "the tokenizer of x is not on this machine")],
        ),
    ],
)
def test_servers(
    settings: dict[str, str], report: dict[str, object], key: str, expected: list[tuple[str, str]]
) -> None:
    environment = {"INFILL_LS_API_KEY": key} if key else {}
    found = servers.check(Settings(backend="vllm", **settings), report, environment)  # type: ignore[arg-type]
    assert [finding.level for finding in found] == [level for level, _ in expected]
    for finding, (_, said) in zip(found, expected, strict=True):
        assert said in finding.message
        assert bool(finding.remedy) == (finding.level != "ok")


def test_the_command_asks_the_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("INFILL_LS_API_KEY", "s3cret-key")
    gone = f"http://127.0.0.1:{free_port()}"
    with started("--has", "chat", "--key", "s3cret-key", module="tests.support.text_server") as server:
        urls = f"{server.url},{gone}"
        result = CliRunner().invoke(main.main, ["doctor", "--backend", "openai", "--backend-url", urls])
        sent = "".join(server.seen())
    assert f"ok       server: {server.url}: embedded is asked by chat" in result.output
    assert f"problem  server: {gone} cannot be reached (connrefused)" in result.output
    assert "-> start the server or correct infill.backendUrl" in result.output
    assert result.exit_code == 1
    assert "s3cret-key" not in result.output + sent
    assert "memory" not in result.output


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
    assert names[:6] == ["model", "memory", "device", "grammars", "socket", "log"]
    assert "worker" in names
    for finding in report["findings"]:
        assert f"{finding['level']:<8} {finding['name']}: {finding['message']}" in result.output


@pytest.mark.parametrize(
    ("devices", "level", "words"),
    [
        ({"cuda:0": 80 * GIB, "cpu": None}, "ok", ["cuda:0 (86 GB free): none, fp8, int8, int4"]),
        ({"cuda:0": 24 * GIB, "cpu": None}, "ok", ["cuda:0 (26 GB free): int4", "cpu (10 GB free): nothing"]),
        ({"cpu": None}, "problem", ["nothing", "the least is 17.5 GB"]),
    ],
)
def test_what_fits(devices: dict[str, int | None], level: str, words: list[str]) -> None:
    needs = {"none": 54_000_000_000, "fp8": 29_800_000_000, "int8": 29_800_000_000, "int4": 17_500_000_000}
    found = machine.fits(devices, 10_000_000_000, needs)
    assert found.level == level
    for word in words:
        assert word in found.message + found.remedy
