"""The worker as a real process over an engine without a model, and a peer that speaks to it by hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from model_runtime import protocol
from model_runtime.protocol import Hello, Infill, Status, StatusRequest
from tests.support.paths import ROOT

FAKE = "tests.support.fakes:load_engine"
LONG = "steps=10000 wait=0.01"  # a plan of `fakes.Engine`


class Daemon:
    def __init__(self, folder: Path, model: str, *flags: str) -> None:
        self.endpoint = folder / "w.sock"
        self.log = protocol.log_path(protocol.Choice(model=model))
        command = [sys.executable, "-m", "model_runtime", f"--endpoint={self.endpoint}", f"--model={model}"]
        self.process = subprocess.Popen(
            [*command, f"--engine={FAKE}", *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self.started = time.monotonic()

    def exit_status(self, seconds: float = 5.0) -> int:
        return self.process.wait(seconds)


class Peer:
    """A client that can also misbehave."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, daemon: Daemon, hello: Hello | None = Hello()) -> Peer:  # noqa: B008
        while True:
            try:
                peer = cls(*await asyncio.open_unix_connection(daemon.endpoint))
                break
            except OSError:
                assert daemon.process.poll() is None, "the daemon ended"
                await asyncio.sleep(0.01)
        if hello:
            peer.send(hello)
            assert await peer.receive() == Hello(pid=daemon.process.pid)
        return peer

    def send(self, *messages: protocol.ClientMessage) -> None:
        """In one write: the daemon may close as soon as it has read the first."""
        self.writer.write(b"".join(map(protocol.pack, messages)))

    async def receive(self) -> protocol.WorkerMessage | None:
        async with asyncio.timeout(10):
            return await protocol.read_message(self.reader, protocol.worker_decoder)

    async def ended(self) -> bool:
        try:
            return await self.receive() is None
        except ConnectionError:
            return True

    async def status(self) -> Status:
        self.send(StatusRequest(10**6))
        answer = await self.receive()
        assert isinstance(answer, Status)
        return answer

    async def status_when(self, condition: Callable[[Status], bool]) -> Status:
        for _ in range(500):
            if condition(status := await self.status()):
                return status
            await asyncio.sleep(0.02)
        raise AssertionError("waited too long")

    async def fill(self, request: Infill) -> protocol.WorkerMessage | None:
        self.send(request)
        return await self.receive()
