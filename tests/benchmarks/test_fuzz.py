"""A short run of benchmarks/fuzz.py, and what longer ones have found."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from benchmarks import fuzz, fuzz_targets
from benchmarks.framing import framed

pytestmark = pytest.mark.timeout(100)
CHANGE = "textDocument/didChange"
COMPLETION = "textDocument/inlineCompletion"


def test_the_server_withstands_nonsense() -> None:
    assert fuzz.fuzz_lsp(3000, seed=1)["requests_answered_once"] > 100


@pytest.mark.skipif(sys.platform == "win32", reason="speaks to a Unix socket")
def test_the_worker_withstands_nonsense() -> None:
    assert fuzz.fuzz_socket(3000, seed=1)["inputs"] == 3000


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
