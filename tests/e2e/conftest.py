"""The real server as a subprocess, and the place in the example that README tells readers to try."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "inventory.py"


@dataclass(frozen=True)
class Place:
    """A cursor position in the example, 0-based, as LSP counts (the line is ASCII)."""

    path: Path
    text: str
    line: int
    column: int
    language: str = "python"

    @property
    def uri(self) -> str:
        return self.path.as_uri()

    @property
    def offset(self) -> int:
        return sum(len(line) for line in self.text.splitlines(keepends=True)[: self.line]) + self.column


@pytest.fixture(scope="session")
def place() -> Place:
    found = re.search(r"examples/inventory\.py --at (\d+):(\d+)", (ROOT / "README.md").read_text("utf-8"))
    assert found, "README names no place in examples/inventory.py"
    place = Place(EXAMPLE, EXAMPLE.read_text("utf-8"), int(found[1]) - 1, int(found[2]) - 1)
    assert place.text.splitlines()[place.line].isascii()
    return place


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    return [sys.executable, "-m", "lsp_server", "serve"]


@pytest.fixture(scope="session")
def settings() -> dict[str, object]:
    """A slow or busy machine may take its time, and a weak model may be unsure of itself."""
    return {"deadlineMs": 20_000, "confidenceThreshold": 0.0}


@pytest.fixture
def only_worker(workers: Callable[[], list[psutil.Process]]) -> Callable[[], psutil.Process]:
    def find() -> psutil.Process:
        found = workers()
        assert len(found) == 1, f"expected one worker, found {found}"
        return found[0]

    return find
