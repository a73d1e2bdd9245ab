"""The user's code is in no log, at no level but `trace`; and a log stays small."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from lsp_server.session import logs
from tests.support.editor import FAKED, editor

MARKER = "planted_secret_7193"


async def use(log: Path, level: str) -> None:
    """Have a server see the marker in every way it can, faults included."""
    command = [*FAKED, str(log)]
    async with editor(command, options={"logLevel": level, "exclude": []}) as it:
        it.open(f"# {MARKER}\na = \n")
        await it.ask(1, 4)
        it.change(2, lsp.TextDocumentContentChangeWholeDocument(f"# crash {MARKER}\na = \n"))
        await it.ask(1, 4)
        it.change(3, lsp.TextDocumentContentChangeWholeDocument(f"# lost {MARKER}\na = \n"))
        await it.ask(1, 4)
        server = it.client._server
        assert server
        assert server.stdin
        for body in (
            f'{{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {{"text": "{MARKER}"}}}}',
            f'{{"jsonrpc": "2.0", "id": "x", "method": "textDocument/{MARKER}", "params": "{MARKER}"}}',
            f'{{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": ["{MARKER}"]}}',
            f'{{"{MARKER}": ',
            f'["{MARKER}"]',
        ):
            server.stdin.write(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        server.stdin.write(f"{MARKER}: {MARKER}\r\n\r\n".encode())
        with pytest.raises(JsonRpcException):
            await it.execute(f"infill.{MARKER}")
        await it.execute("infill.accepted", {"text": MARKER})


@pytest.mark.parametrize("level", ["error", "warning", "info", "debug", "trace"])
async def test_no_text_in_the_log(level: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    await use(tmp_path / "log", level)
    for log in ((tmp_path / "log").read_text(), capfd.readouterr().err):
        assert "RuntimeError" in log, "the crash is there, without its message"
        lines = [line for line in log.splitlines() if MARKER in line]
        # An unknown method or command has a name; everything else would be text.
        lines = [line for line in lines if "unknown" not in line and "Command name" not in line]
        assert bool(lines) == (level == "trace"), lines


@pytest.mark.parametrize("level", ["info", "trace"])
def test_what_is_left_of_an_exception(level: str) -> None:
    logs.set_level(level)
    try:
        try:
            raise ValueError(MARKER)
        except ValueError:
            ours = logging.makeLogRecord(
                {"name": "lsp_server.x", "msg": "a fault in %s", "args": ("x",), "exc_info": sys.exc_info()}
            )
            theirs = logging.makeLogRecord(
                {"name": "asyncio", "msg": f"never retrieved\nfuture: {MARKER}", "exc_info": sys.exc_info()}
            )
        for record in (ours, theirs):
            text = logs._formatter.format(record)
            assert "ValueError" in text
            assert "test_what_is_left" in text
            assert (MARKER in text) == (level == "trace")
        assert "a fault in x" in logs._formatter.format(ours)
    finally:
        logs.set_level("info")


def test_the_file_stays_small_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 5000)
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    try:
        logs.configure(tmp_path / "log")
        for number in range(500):
            logging.getLogger("lsp_server").warning("line %d \ud800", number)
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == ["log", "log.1", "log.2"]
        assert sum(file.stat().st_size for file in files) <= 3 * 5100
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert "line 499" in files[0].read_text()
    finally:
        for handler in [h for h in root.handlers if h not in before]:
            root.removeHandler(handler)
            handler.close()


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        logs.configure(tmp_path / "no" / "such" / "folder")


async def test_a_client_s_own_log_has_the_levels(capfd: pytest.CaptureFixture[str]) -> None:
    async with editor(FAKED, experimental={"infill": {"log": True}}) as it:
        it.open("# crash\na = \n")
        it.open("a = \n", uri="file:///b.py")
        await it.ask(1, 4)
        await it.ask(0, 4, "file:///b.py")  # `FakeWorker` warns of what is shown
        await it.execute("infill.status")
    kinds = [(each.type, each.message) for each in it.log]
    assert {kind for kind, _ in kinds} == {
        lsp.MessageType.Error,
        lsp.MessageType.Warning,
        lsp.MessageType.Info,
    }
    assert (lsp.MessageType.Warning, "lsp_server.fake: feedback 1 0") in kinds
    assert "RuntimeError" in str(kinds)
    assert "lsp_server" not in capfd.readouterr().err, "said twice"
