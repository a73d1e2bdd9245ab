"""A short run of benchmarks/fuzz.py, and what longer ones have found."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import fuzz, fuzz_inputs, fuzz_targets, odd_files
from benchmarks.framing import framed
from benchmarks.fuzz_files import Crowd

pytestmark = pytest.mark.timeout(100)
CHANGE = "textDocument/didChange"
COMPLETION = "textDocument/inlineCompletion"


def test_the_server_withstands_nonsense() -> None:
    assert fuzz.fuzz_lsp(3000, seed=1)["requests_answered_once"] > 100


@pytest.mark.skipif(sys.platform == "win32", reason="speaks to a Unix socket")
def test_the_worker_withstands_nonsense() -> None:
    assert fuzz.fuzz_socket(3000, seed=1)["inputs"] == 3000


@pytest.mark.skipif(sys.platform == "win32", reason="has names and links that Windows has not")
@pytest.mark.parametrize("target", ["ignore-files", "texts", "trees", "edits", "answers"])
def test_odd_files_edits_and_answers(target: str, tmp_path: Path) -> None:
    found = fuzz_inputs.drive(target, fuzz.IN_PROCESS[target](), 300, seed=1, save=tmp_path)
    assert found["inputs"] >= 300
    assert "failures" not in found, [file.read_text() for file in tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="has names and links that Windows has not")
def test_a_folder_with_more_files_than_a_scan_reads() -> None:
    assert fuzz_inputs.drive("crowd", Crowd(6_000), 1, seed=1).get("failures") is None


def test_what_fails_is_counted_and_can_be_tried_again(tmp_path: Path) -> None:
    def odd(rng: random.Random) -> int:
        if rng.random() < 0.1:
            raise fuzz_inputs.Failed("odd")
        return 1

    found = fuzz_inputs.drive("x", odd, 100, seed=2, save=tmp_path)
    assert 0 < sum(found["failures"].values()) < 50
    number = int(min(tmp_path.iterdir()).stem.rpartition("-")[2])
    again = fuzz_inputs.drive("x", odd, 100, seed=2, only=number)
    assert again["failures"] == dict.fromkeys(found["failures"], 1)


@pytest.fixture(scope="module")
def server() -> Iterator[fuzz_targets.Server]:
    server = fuzz_targets.Server()
    yield server
    server.process.kill()
    server.process.wait()


@pytest.mark.parametrize(
    "message",
    [
        {"method": COMPLETION, "params": "x"},
        {"method": COMPLETION, "params": {"position": []}},
        {"method": COMPLETION},
        {"method": COMPLETION, "params": {"jsonrpc": "2.0"}},
        {"method": "initialized", "params": {}},
        {"method": CHANGE, "params": 3},
        {"method": "no/such", "params": None},
        {"method": "no/such", "params": json.loads("[" * 500 + "]" * 500)},
    ],
    ids=lambda message: str(message)[:60],
)
def test_every_request_is_answered_once(server: fuzz_targets.Server, message: dict[str, Any]) -> None:
    server.answers.clear()
    server.write(framed({"id": 77, **message}))
    server.probe(b"")
    assert server.answers[77] == 1


@pytest.mark.parametrize(
    "params",
    [
        {"textDocument": {"uri": "file:///a", "version": 2}, "contentChanges": "x" * 200_000},
        {"textDocument": {"uri": "file:///a", "version": 2}, "contentChanges": [[]] * 20_000},
        {"textDocument": json.loads('{"a":' * 900 + "1" + "}" * 900), "contentChanges": []},
    ],
    ids=["text for a list", "many wrong changes", "deep"],
)
def test_wrong_parameters_cost_no_time(server: fuzz_targets.Server, params: dict[str, Any]) -> None:
    server.probe(b"")
    began = psutil.Process(server.process.pid).cpu_times().user
    server.write(framed({"method": CHANGE, "params": params}))
    server.probe(b"")
    assert psutil.Process(server.process.pid).cpu_times().user - began < 0.5


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir(mode=0o755)
    link = tmp_path / "link"
    for seed in range(50):
        if not link.is_symlink():
            link.symlink_to(outside)
        odd_files.disturb(random.Random(seed), [os.fsencode(link)])
        (tmp_path / "link~").unlink(missing_ok=True)
        assert outside.stat().st_mode & 0o777 == 0o755
