"""The command line with a fake worker, in a folder with a few files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from lsp_server.cli import main
from lsp_server.config.settings import Settings
from lsp_server.session import session
from model_runtime.protocol import Done, Draft, Fixed, Infill, Refused, Slot, Status
from tests.support.worker_status import STATUS


class FakeWorker:
    """Fills in `2`, below a line `# unsure` with doubts and below `# empty` nothing, refuses above a line
    `# refuse`; running or not, as its model's name says."""

    def __init__(self, settings: Settings) -> None:
        self.running = settings.model != "stopped"
        self.loading = [] if self.running else [msgspec.structs.replace(STATUS, state="loading")]
        self.deadline_ms = settings.deadline_ms

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        assert request.deadline_ms == self.deadline_ms or "#action-" in request.document
        if request.instruction:
            return Refused(0, "instruction", "the model embedded follows no instructions")
        if Fixed("\n# refuse\n") in request.canvas:
            return Refused(0, "failed", "out of memory")
        empty, unsure = (request.prefix.endswith(f"    # {word}\n") for word in ("empty", "unsure"))
        texts = ("" if empty else "2\n",) * sum(isinstance(piece, Slot) for piece in request.canvas)
        sure = 0.1 if unsure else 0.75
        return Done(0, texts, sure, steps=4, queue_ms=0, prefill_ms=0, denoise_ms=0, sources=("denoiser",))

    async def prepare(self) -> None:
        self.running = True

    async def status(self) -> Status | Refused:
        if not self.running:
            return Refused(0, "worker-lost", "no worker is running")
        return self.loading.pop() if self.loading else STATUS

    async def stop(self) -> bool:
        return self.running

    async def close(self) -> None:
        pass


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    def fake(settings: Settings) -> Any:
        return FakeWorker(settings)

    monkeypatch.setattr(session, "connect", fake)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_bytes("a = 1\r\nb = '😀' + \r\n".encode())
    (tmp_path / "refuse.py").write_text("b = \n# refuse\n")
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbfx = ")
    (tmp_path / "latin.py").write_bytes(b"# \xe9t\xe9\n")
    (tmp_path / "a.rb").write_text("x = ")
    (tmp_path / "notes.txt").write_text("x = ")
    (tmp_path / "folder.py").mkdir()
    return lambda *arguments: CliRunner().invoke(main.main, arguments)
