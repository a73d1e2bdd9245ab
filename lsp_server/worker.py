"""The client of the worker daemon: one fill in, one answer out, whatever happens in between.

Connects on first use and starts the daemon if none runs. Expected faults (no daemon, a daemon
that dies, no model) come back as `Refused`; nothing here raises for them, and nothing waits for
ever unless the caller gave no deadline. Knows no LSP and no documents.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lsp_server import launch
from lsp_server.connection import Connection, OnDraft
from model_runtime import protocol
from model_runtime.protocol import Done, Draft, Infill, Refused, Status, StatusRequest, Stop

log = logging.getLogger(__name__)

STATUS_S = 5.0
BACK_OFF_S = (0.0, 1.0, 4.0, 15.0, 60.0)  # after the first, second, ... failure in a row


@dataclass(slots=True)
class _Health:
    """When to try again: a daemon that fails is replaced at once, later less and less eagerly."""

    failures: int = 0
    not_before: float = 0.0
    message: str = ""

    def failed(self, message: str) -> None:
        self.message = message
        self.failures += 1
        wait = BACK_OFF_S[min(self.failures, len(BACK_OFF_S)) - 1]
        self.not_before = asyncio.get_running_loop().time() + wait

    def worked(self) -> None:
        self.failures = 0

    def check(self) -> None:
        if self.failures and asyncio.get_running_loop().time() < self.not_before:
            raise launch.LaunchError(f"{self.message} ({self.failures} failures in a row; waiting a little)")


class Worker:
    """All methods belong to one event loop. `start=False`: use a daemon that runs, but start none."""

    def __init__(
        self, *, model: str = "embedded", device: str = "auto", idle_minutes: float = 10, start: bool = True
    ) -> None:
        # The daemon runs in another folder: a path that is relative or says `~` must not depend on it.
        self._model = str(Path(model).expanduser().absolute()) if model.startswith((".", "~")) else model
        self._device = device
        self._idle_minutes = idle_minutes
        self._start = start
        self._ids = itertools.count(1)
        self._connection: Connection | None = None
        self._starting: asyncio.Task[Connection] | None = None
        self._health = _Health()

    @property
    def log_path(self) -> Path:
        return protocol.log_path(self._model, self._device)

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        """Exactly one answer, with the caller's id. Cancelling the caller cancels the fill.

        `deadline_ms` counts from here: starting the daemon is part of it. `on_draft` is called
        on the event loop, with the caller's id, and asks for drafts.
        """
        clock = asyncio.get_running_loop().time
        began, left_ms = clock(), request.deadline_ms
        try:
            async with asyncio.timeout(None if left_ms is None else left_ms / 1000):
                connection = await self._connect()
        except TimeoutError:
            return Refused(request.id, "loading", "the worker is still starting")
        except launch.LaunchError as error:
            return Refused(request.id, "worker-lost", str(error))
        if left_ms is not None:
            left_ms = max(1, left_ms - round((clock() - began) * 1000))
        sent = msgspec.structs.replace(
            request,
            id=next(self._ids),
            deadline_ms=left_ms,
            drafts=request.drafts or on_draft is not None,
        )

        def relay(draft: Draft) -> None:
            if on_draft:
                on_draft(msgspec.structs.replace(draft, id=request.id))

        try:
            answer = await connection.ask(sent, relay)
        except (protocol.ProtocolError, UnicodeError) as error:
            return Refused(request.id, "invalid", f"the text cannot be sent: {error}")
        if isinstance(answer, Status):
            return Refused(request.id, "failed", "the worker answered another question")
        if isinstance(answer, Done):
            self._health.worked()
        return msgspec.structs.replace(answer, id=request.id)

    async def prepare(self) -> None:
        """Have the daemon load its model before the first fill needs it."""
        try:
            await self._connect()
        except launch.LaunchError as error:
            log.warning("%s", error)

    async def status(self) -> Status | Refused:
        """What the daemon says of itself; starts nothing."""
        request = StatusRequest(next(self._ids))
        try:
            async with asyncio.timeout(STATUS_S):
                answer = await (await self._attach()).ask(request)
        except TimeoutError:
            return Refused(request.id, "worker-lost", f"the worker does not answer; see {self.log_path}")
        except launch.LaunchError as error:
            return Refused(request.id, "worker-lost", str(error))
        assert not isinstance(answer, Done)
        return answer

    async def stop(self) -> bool:
        """Stop the daemon, for all its clients; whether one ran and its process is gone."""
        try:
            connection = await self._attach()
        except launch.LaunchError:
            return False
        connection.send(Stop())
        await asyncio.wait([connection.ended], timeout=launch.STOP_S)
        return await asyncio.to_thread(launch.wait_until_gone, self._endpoint())

    async def close(self) -> None:
        """Disconnect; the daemon lives on. Requests that wait are refused."""
        if self._starting:
            self._starting.cancel()
        if self._connection:
            await self._connection.close()

    async def _connect(self) -> Connection:
        """The connection, after starting the daemon if need be; all callers share one attempt."""
        if self._connection and self._connection.usable:
            return self._connection
        if not self._start:
            return await self._attach()
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._connect_or_start())
        return await asyncio.shield(self._starting)

    async def _connect_or_start(self) -> Connection:
        endpoint = self._endpoint()
        if streams := await launch.connect(endpoint):
            return self._adopt(*streams)
        self._health.check()
        try:
            stderr = self.log_path.with_suffix(".stderr")
            await asyncio.to_thread(launch.start, endpoint, self._command(endpoint), stderr)
            if streams := await launch.connect(endpoint):
                return self._adopt(*streams)
            raise launch.LaunchError("the worker ended as soon as it had started")
        except launch.LaunchError as error:
            message = f"{error}; see {self.log_path}"
            self._health.failed(message)
            raise launch.LaunchError(message) from None

    async def _attach(self) -> Connection:
        """The connection to a daemon that runs already."""
        if self._connection and self._connection.usable:
            return self._connection
        if streams := await launch.connect(self._endpoint()):
            return self._adopt(*streams)
        raise launch.LaunchError("no worker is running")

    def _adopt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
        if self._connection and self._connection.usable:  # another caller was faster
            writer.close()
        else:
            self._connection = Connection(reader, writer, self._lost)
        return self._connection

    def _lost(self) -> None:
        self._health.failed(f"the worker died; see {self.log_path}")

    def _endpoint(self) -> Path:
        try:
            return protocol.endpoint_path(self._model, self._device)
        except OSError as error:
            raise launch.LaunchError(f"no place for the worker's socket: {error}") from None

    def _command(self, endpoint: Path) -> list[str]:
        return [
            sys.executable,
            "-m",
            "model_runtime",
            f"--endpoint={endpoint}",
            f"--model={self._model}",
            f"--device={self._device}",
            f"--idle-minutes={self._idle_minutes}",
        ]
