"""The client of the worker daemon: each fill gets exactly one answer, whatever happens to the daemon.

Connects on first use and starts the daemon if none runs. Expected faults (no daemon, a daemon that dies, no
model) are answered with `Refused`, never raised. A fill without a deadline may wait for as long as the daemon
lives. Knows no LSP and no documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from lsp_server import child_process
from lsp_server.config.workspace_trust import is_path
from lsp_server.worker_client.connection import HUNG, Connection, OnDraft
from model_runtime import protocol
from model_runtime.protocol import (
    Choice,
    Done,
    Draft,
    Feedback,
    Infill,
    Refused,
    Status,
    StatusRequest,
    Stop,
    Texts,
)

from . import launch
from .health import Health

log = logging.getLogger(__name__)

STATUS_S = 5.0
ANSWER_S = 6.0  # past its deadline; a worker that takes longer hangs


class Worker:
    """All methods belong to one event loop. `start=False`: use a daemon that runs, but start none."""

    def __init__(self, choice: Choice, *, idle_minutes: float = 10, start: bool = True) -> None:
        self._choice = _with_absolute_paths(choice)
        self._idle_minutes = idle_minutes
        self._start = start
        self._ids = itertools.count(1)
        self._connection: Connection | None = None
        self._starting: asyncio.Task[Connection] | None = None
        self._health = Health()
        self.on_connected: Callable[[], None] | None = None  # called at each new connection
        self._ending: asyncio.Future[None] | None = None  # of a process that hangs

    @property
    def log_path(self) -> Path:
        return protocol.log_path(self._choice)

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        """Exactly one answer, with the request's id. Cancelling the caller cancels the fill.

        `deadline_ms` counts from here, and so includes starting the daemon. Where `on_draft` is given the
        worker sends drafts; it is called with each, on the event loop.
        """
        clock = asyncio.get_running_loop().time
        began, left_ms = clock(), request.deadline_ms
        try:
            async with asyncio.timeout(None if left_ms is None else left_ms / 1000):
                connection = await self._connect()
        except TimeoutError:
            return Refused(request.id, "loading", "the worker is still starting")
        except launch.LaunchError as error:
            return self._health.refusal(request.id, str(error))
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
            async with asyncio.timeout(None if left_ms is None else left_ms / 1000 + ANSWER_S):
                answer = await connection.ask(sent, relay)
        except TimeoutError:
            return Refused(request.id, "deadline", "the worker does not answer")
        except (protocol.ProtocolError, UnicodeError) as error:
            return Refused(request.id, "invalid", f"the text cannot be sent: {error}")
        if isinstance(answer, Status):
            return Refused(request.id, "failed", "the worker answered another question")
        if isinstance(answer, Done):
            self._health.worked()
        elif answer.reason == "worker-lost":
            answer = self._health.refusal(answer.id, answer.message)
        return msgspec.structs.replace(answer, id=request.id)

    async def prepare(self) -> None:
        """Have the daemon load its model before the first fill needs it."""
        try:
            await self._connect()
        except launch.LaunchError as error:
            log.warning("%s", error)

    async def status(self) -> Status | Refused:
        """The daemon's status; starts none."""
        request = StatusRequest(next(self._ids))
        try:
            async with asyncio.timeout(STATUS_S):
                answer = await (await self._attach()).ask(request)
        except TimeoutError:
            return Refused(request.id, "worker-lost", "the worker does not answer; `worker stop` ends it")
        except launch.LaunchError as error:
            return Refused(request.id, "worker-lost", str(error))
        assert not isinstance(answer, Done)
        return answer

    def tell(self, texts: Texts) -> None:
        """Texts for a daemon that composes drafts; lost while none is connected, see `on_connected`."""
        composes = self._choice.backend != "openai"
        if composes and self._connection and self._connection.usable:
            with contextlib.suppress(protocol.ProtocolError, UnicodeError):  # too long, or no text
                self._connection.send(texts)

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        """Count suggestions in the daemon, if one is connected; the counts go nowhere else."""
        if self._connection and self._connection.usable:
            self._connection.send(Feedback(shown, accepted))

    async def stop(self) -> bool:
        """Stop the daemon, for all its clients. Returns whether there was one and its process has ended."""
        self._health = Health()
        try:
            connection = await self._attach()
        except launch.Hung:
            connection = None
        except launch.LaunchError:
            return False
        if connection:
            connection.send(Stop())
            await asyncio.wait([connection.ended], timeout=launch.STOP_S)
            if await asyncio.to_thread(launch.wait_until_gone, self._endpoint()):
                return True
        await asyncio.to_thread(launch.end, self._endpoint())
        return await asyncio.to_thread(launch.wait_until_gone, self._endpoint())

    async def close(self) -> None:
        """Disconnect; the daemon lives on. Waiting requests are refused."""
        if self._starting:
            self._starting.cancel()
        if self._connection:
            await self._connection.close()

    async def _connect(self) -> Connection:
        """The connection; starts the daemon if need be. All callers share one attempt."""
        if self._connection and self._connection.usable:
            return self._connection
        if not self._start:
            return await self._attach()
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._connect_or_start())
        return await asyncio.shield(self._starting)

    async def _connect_or_start(self) -> Connection:
        endpoint = self._endpoint()
        try:
            if self._ending:
                await asyncio.wait([self._ending])
            if link := await launch.connect(endpoint, replace=True):
                return self._adopt(link)
        except launch.Hung as error:
            log.warning("%s; starting another", error)
        self._health.check()
        try:
            stderr = self.log_path.with_suffix(".stderr")
            await asyncio.to_thread(launch.start, endpoint, self._command(endpoint), stderr)
            if link := await launch.connect(endpoint):
                return self._adopt(link)
            raise launch.LaunchError("the worker ended as soon as it had started")
        except launch.LaunchError as error:
            message = f"{error}; see {self.log_path}"
            self._health.failed(message)
            raise launch.LaunchError(message) from None

    async def _attach(self) -> Connection:
        """The connection to a daemon that runs already."""
        if self._connection and self._connection.usable:
            return self._connection
        if link := await launch.connect(self._endpoint()):
            return self._adopt(link)
        raise launch.LaunchError("no worker is running")

    def _adopt(self, link: launch.Link) -> Connection:
        if self._connection and self._connection.usable:  # another caller was faster
            link.writer.close()
        else:
            self._connection = Connection(link, self._lost)
            if self.on_connected:
                self.on_connected()
        return self._connection

    def _lost(self, connection: Connection) -> None:
        what = HUNG if connection.hung else "the worker died"
        self._health.failed(f"{what}; see {self.log_path}")
        if connection.hung and connection.pid:
            log.warning("process %d does not answer and is killed", connection.pid)
            killing = asyncio.to_thread(launch.end, self._endpoint(), connection.pid)
            self._ending = asyncio.ensure_future(killing)

    def _endpoint(self) -> Path:
        try:
            return protocol.endpoint_path(self._choice)
        except OSError as error:
            raise launch.LaunchError(f"no place for the worker's socket: {error}") from None

    def _command(self, endpoint: Path) -> list[str]:
        chosen = msgspec.structs.asdict(self._choice)
        return child_process.command(
            "model_runtime",
            f"--endpoint={endpoint}",
            *(f"--{name}={value}" for name, value in chosen.items() if value),
            f"--idle-minutes={self._idle_minutes}",
        )


def _with_absolute_paths(choice: Choice) -> Choice:
    """The daemon runs in another folder, so paths that are relative or begin with `~` are resolved here."""
    paths = {name: value for name in ("model", "adapter") if is_path(value := getattr(choice, name))}
    absolute = {name: str(Path(value).expanduser().resolve()) for name, value in paths.items()}
    return msgspec.structs.replace(choice, **absolute)
