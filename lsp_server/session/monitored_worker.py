"""The worker as the session uses it: each fill is timed, and what the worker is doing can be followed.

The client behind it is replaced when the settings ask for another worker; what was measured stays. Knows no
documents and no settings.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec import structs

from lsp_server.session.worker_status import WorkerStatus
from lsp_server.worker_client.client import Worker
from lsp_server.worker_client.connection import OnDraft
from model_runtime.protocol import Done, Infill, Refused, Status, Texts

_numbers = itertools.count(1)
POLL_S = 0.5  # between two questions to a worker that is loading its model


class MonitoredWorker:
    """All methods belong to one event loop."""

    def __init__(self, client: Worker) -> None:
        self.on_connected: Callable[[], None] | None = None  # called when there is a new worker
        self._workspace = f"{os.getpid()}-{next(_numbers)}"  # whose texts are whose
        self._listen_to(client)
        self._polling: asyncio.Task[None] | None = None
        self.last_status = WorkerStatus()
        self.on_status: Callable[[WorkerStatus], None] | None = None  # called when it has changed

    def use(self, client: Worker) -> Worker:
        """Use another client from now on. Returns the one before, which the caller closes."""
        before = self._client
        before.on_connected = None
        self._listen_to(client)
        return before

    def _listen_to(self, client: Worker) -> None:
        self._client = client
        client.on_connected = lambda: self.on_connected and self.on_connected()

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        """As the client's `fill`."""
        began, answer = time.perf_counter(), None
        self._set_status(self.last_status.began())
        try:
            request = structs.replace(request, workspace=self._workspace)
            answer = await self._client.fill(request, on_draft)
            return answer
        finally:
            ms = (time.perf_counter() - began) * 1000
            self._set_status(self.last_status.ended(answer, ms))
            if self.last_status.state == "loading":
                self._poll()

    async def prepare(self) -> None:
        """Have the model loaded before the first fill needs it."""
        await self._client.prepare()
        self._poll()

    async def restart(self) -> None:
        if await self._client.stop():
            message = "the worker is being restarted"
            self._set_status(replace(self.last_status, state="stopped", message=message))
        await self.prepare()

    async def status(self) -> Status | Refused:
        """What the daemon says of itself."""
        return await self._client.status()

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        """Count what became of suggestions."""
        self._client.feedback(shown=shown, accepted=accepted)

    def put(self, key: str, language: str, text: str) -> None:
        """A text of the workspace, from which drafts may be composed."""
        self._client.tell(Texts(self._workspace, language, {key: text}))

    def drop(self, keys: Sequence[str]) -> None:
        self._client.tell(Texts(self._workspace, gone=tuple(keys)))

    def clear(self) -> None:
        self._client.tell(Texts(self._workspace, renewed=True))

    def stop_reporting(self) -> None:
        """`on_status` is not called any more."""
        self.on_status = None
        if self._polling:
            self._polling.cancel()

    async def close(self) -> None:
        self.stop_reporting()
        await self._client.close()

    def _set_status(self, status: WorkerStatus) -> None:
        before, self.last_status = self.last_status, status
        if replace(before, running=status.running) != status and self.on_status:
            self.on_status(status)

    def _poll(self) -> None:
        """Ask the worker how far it is until its model is loaded, if anyone listens."""
        if self.on_status and (self._polling is None or self._polling.done()):
            self._polling = asyncio.ensure_future(self._follow_loading())

    async def _follow_loading(self) -> None:
        while self.on_status:
            self._set_status(self.last_status.told(await self._client.status()))
            if self.last_status.state != "loading":
                return
            await asyncio.sleep(POLL_S)
