"""The command `infill-ls play`, as a process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from tests.lsp_server.play.serving import TIMEOUT, serving
from tests.support.paths import ROOT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "lsp_server", "play", "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(TIMEOUT) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "{taken}"], "leave it out for a free one"),
        (["--port", "70000"], "70000"),
        (["--device", "abacus"], "--device: 'abacus' is not one of"),
    ],
)
async def test_wrong_use(options: list[str], message: str) -> None:
    async with serving() as site:
        options = [option.format(taken=site.port) for option in options]
        command = [sys.executable, "-m", "lsp_server", "play", "--no-browser", *options]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.PIPE)
        _, told = await asyncio.wait_for(process.communicate(), TIMEOUT)
        assert process.returncode == 2
        assert message in told.decode()
        assert "Traceback" not in told.decode()
