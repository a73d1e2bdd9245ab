"""The client of the reader process: starts it when there is something to read, and ends it when it is idle.

Answers go to a callback on the event loop. If the process cannot start or keeps dying, there is no context
and `fault` says why; everything else goes on. Knows no documents.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import msgspec

from lsp_server import child_process
from lsp_server.context.index_process import Answer, Gone, Look, Request, Scan, Scanned
from lsp_server.context.outline import Outline

log = logging.getLogger(__name__)

START_S = 0.3  # from the first request to starting the process: an editor that starts up is busy
IDLE_S = 60.0  # without a message, after which the process ends and frees its memory
TRIES = 3  # after so many processes in a row that failed no more are started
_LINE = 2**24  # most bytes of one message


class IndexClient:
    """All methods belong to one event loop. `received` is called with each answer; `lost` when a process has
    failed, so that the requests it had are not answered."""

    def __init__(self, received: Callable[[Answer], None], lost: Callable[[], None]) -> None:
        self.fault = ""  # why there are no answers any more, as a line for a person
        self._received, self._lost = received, lost
        self._unsent: list[Request] = []
        self._looks = Counter[str]()  # keys of what was sent and is not answered
        self._scanning = False
        self._process: asyncio.subprocess.Process | None = None
        self._serving: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._leaving = False  # the process has been told that there is nothing more to do
        self._failures = 0  # in a row

    def ask(self, request: Request) -> None:
        """Send a request; does not wait. Dropped where there is a `fault`."""
        if self.fault:
            return
        self._unsent.append(request)
        if self._process is not None and not self._leaving:
            self._send(self._process)
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
        """One process after the other, as long as there is something to ask."""
        while self._unsent and not self.fault:
            await asyncio.sleep(START_S)
            await self._serve_one()

    async def _serve_one(self) -> None:
        """One process's life."""
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
            self._give_up(f"the process that reads them cannot be started: {error}")
            self._lost()
            return
        try:
            self._process = process
            self._send(process)
            await self._listen(process)
            ended_well = await process.wait() == 0
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("the reader process said something odd: %s", type(error).__name__)
            ended_well = False
        finally:
            self._process, self._leaving = None, False
            self._looks.clear()
            self._scanning = False
            if self._idle:
                self._idle.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if not ended_well:
            self._failures += 1
            left = TRIES - self._failures
            log.warning("the reader process has ended (%s); %d tries left", process.returncode, left)
            if not left:
                self._give_up(f"the process that reads them has failed {TRIES} times in a row")
            self._lost()

    def _give_up(self, why: str) -> None:
        self.fault = f"other files are not read: {why}"
        self._unsent.clear()
        log.warning("%s", self.fault)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        decode = msgspec.json.Decoder(Answer).decode
        while line := await process.stdout.readline():
            self._account(answer := decode(line))
            self._received(answer)
            self._postpone(process)

    def _account(self, answer: Answer) -> None:
        """Keep count of what is not answered yet. A process that has answered everything works."""
        match answer:
            case Outline():
                self._looks.subtract([answer.key] * (answer.stamp == (0, 0)))
            case Gone():
                self._looks.subtract(answer.keys)
            case Scanned():
                self._scanning = False
        self._looks = +self._looks
        if not self._looks and not self._scanning:
            self._failures = 0

    def _send(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        for request in self._unsent:
            match request:
                case Look():
                    self._looks[request.key] += 1
                case Scan(everywhere=True):
                    self._scanning = True
            process.stdin.write(msgspec.json.encode(request) + b"\n")
        self._unsent.clear()
        self._postpone(process)

    def _postpone(self, process: asyncio.subprocess.Process) -> None:
        """Put off the end of an idle process. What is asked once its input is closed, the next gets."""
        if self._idle:
            self._idle.cancel()
        if not self._scanning:
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._leave, process)

    def _leave(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        self._leaving = True
        process.stdin.close()
