"""The client of the reader process: starts it when there is something to read, and ends it when it is idle.

Answers go to a callback on the event loop. If the process cannot start or dies, that is logged and there is
no context; everything else goes on. Knows no documents.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from lsp_server import child_process
from lsp_server.context.index_process import Answer, Request

log = logging.getLogger(__name__)

START_S = 0.3  # from the first request to starting the process: an editor that starts up is busy
IDLE_S = 60.0  # without a message, after which the process ends and frees its memory
TRIES = 3  # after so many processes that failed no more are started
_LINE = 2**24  # most bytes of one message


class IndexClient:
    """All methods belong to one event loop. `received` is called with each answer; `lost` when a process has
    failed, so that the requests it had are not answered."""

    def __init__(self, received: Callable[[Answer], None], lost: Callable[[], None]) -> None:
        self._received, self._lost = received, lost
        self._unsent: list[bytes] = []
        self._process: asyncio.subprocess.Process | None = None
        self._serving: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._failures = 0

    def ask(self, request: Request) -> None:
        """Send a request; does not wait. Dropped after TRIES failures."""
        if self._failures >= TRIES:
            return
        self._unsent.append(msgspec.json.encode(request) + b"\n")
        if self._process is not None:
            self._send()
        elif self._serving is None or self._serving.done():
            self._serving = asyncio.ensure_future(self._serve())

    def stop(self) -> None:
        """End the process; there will be no more answers."""
        if self._serving:
            self._serving.cancel()

    async def close(self) -> None:
        """As `stop`, and wait until the process is gone."""
        self.stop()
        if self._serving:
            await asyncio.wait([self._serving])

    async def _serve(self) -> None:
        """One process's life."""
        await asyncio.sleep(START_S)
        try:
            process = await asyncio.create_subprocess_exec(
                *child_process.command("lsp_server.context.index_process"),
                cwd=child_process.ROOT,
                env=child_process.environment(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE,
            )
        except OSError as error:
            self._failures = TRIES
            log.warning("other files are not read: %s", error)
            return
        try:
            self._process = process
            self._send()
            await self._listen(process)
            ended_well = await process.wait() == 0
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("the reader process said something odd: %s", type(error).__name__)
            ended_well = False
        finally:
            self._process = None
            if self._idle:
                self._idle.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if not ended_well:
            self._failures += 1
            log.warning("the reader process has ended (%s); %d tries left", process.returncode, self._left)
            self._lost()

    @property
    def _left(self) -> int:
        return TRIES - self._failures

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        decode = msgspec.json.Decoder(Answer).decode
        while line := await process.stdout.readline():
            self._received(decode(line))
            self._postpone()

    def _send(self) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.writelines(self._unsent)
        self._unsent.clear()
        self._postpone()

    def _postpone(self) -> None:
        """Put off the end of an idle process. At its end it still answers what it has been sent: only its
        input is closed."""
        if self._idle:
            self._idle.cancel()
        if self._process and self._process.stdin:
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._process.stdin.close)
