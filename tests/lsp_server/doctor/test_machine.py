"""Memory, devices, folders and what a download would meet."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from lsp_server.doctor import machine
from lsp_server.text.languages import LANGUAGES
from tests.lsp_server.doctor.findings import check

GIB = 2**30


not_root = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read and write everything"
)


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
        (
            "auto",
            {"devices": {"cpu": None}, "cpu": {"fastest": "int8", "instructions": "AVX2"}},
            "ok",
            ["with AVX2; there the embedded model computes in int8"],
        ),
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


def test_reader() -> None:
    check(machine.reader("", []), "ok", "answers")
    check(machine.reader("no such file", []), "problem", "no such file", "not read")
    line = "/p/.gitignore, line 2: '!' is no pattern"
    check(machine.reader("", [line] * 3), "warning", line, "2 more", "correct")


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
