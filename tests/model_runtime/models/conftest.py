"""`infill-ls models` as a process with a cache of its own, against a hub on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import fake_hub, tiny_gemma
from tests.support.fake_hub import Hub
from tests.support.paths import ROOT

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_gemma.write(tmp_path_factory.mktemp("release"))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    return folder


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    with fake_hub.serving(folder) as hub:
        yield hub


@pytest.fixture
def command(tmp_path: Path, hub: Hub) -> Command:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        env = clean | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url} | environment
        env |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return subprocess.run(
            [sys.executable, "-m", "lsp_server", "models", *arguments],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run
