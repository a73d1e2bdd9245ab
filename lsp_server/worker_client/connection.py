"""One connection to the worker: sends messages, and hands each answer to the request that waits for it.

While a request waits, the worker must send something now and then, or it counts as hung. Knows nothing of
starting a worker, and never reconnects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from lsp_server.worker_client.launch import Link
from model_runtime import protocol
from model_runtime.protocol import Cancel, Done, Draft, Infill, Refused, Status, StatusRequest

log = logging.getLogger(__name__)

MAX_BACKLOG = 4 * protocol.MAX_FRAME  # bytes that the daemon has not read; with more it counts as dead
BEAT_S = 5.0  # between two beats, at which a worker that owes an answer is asked for a sign of life
MISSED = 4  # beats without one after which it hangs; loading a model may hold it up for some
GONE = "the worker is gone"
HUNG = "the worker did not answer any more and was ended"

OnDraft = Callable[[Draft], None]
Answer = Done | Refused | Status


@dataclass(eq=False, slots=True)
class _Waiting:
    answer: asyncio.Future[Answer]
    on_draft: OnDraft | None


class Connection:
    """One connection and the requests that wait on it. When it breaks, each is refused, once. `on_lost` is
    called when it breaks with requests waiting, or when the worker hangs."""

    def __init__(self, link: Link, on_lost: Callable[[Connection], None]) -> None:
        self.pid = link.pid
        self.hung = False
        self._reader = link.reader
        self._writer = link.writer
        self._on_lost = on_lost
        self._waiting: dict[int, _Waiting] = {}
        self._beat: asyncio.TimerHandle | None = None
        self._missed = 0
        self.ended = asyncio.create_task(self._read())

    @property
    def usable(self) -> bool:
        return not self.ended.done() and not self._writer.is_closing()

    def send(self, message: protocol.ClientMessage) -> None:
        """Raises ProtocolError or UnicodeError, and sends nothing, where the message cannot be packed."""
        frame = protocol.pack(message)
        if self._writer.transport.get_write_buffer_size() > MAX_BACKLOG:
            self._writer.transport.abort()
        if not self._writer.is_closing():
            self._writer.write(frame)

    async def ask(self, message: Infill | StatusRequest, on_draft: OnDraft | None = None) -> Answer:
        """Send a request and wait for its answer; `Refused` if the connection breaks. Cancelling the caller
        cancels the request. Raises as `send` does."""
        if self.ended.done():
            return Refused(message.id, "worker-lost", GONE)
        self.send(message)
        waiting = _Waiting(asyncio.get_running_loop().create_future(), on_draft)
        self._waiting[message.id] = waiting
        if self._beat is None:
            self._beat = asyncio.get_running_loop().call_later(BEAT_S, self._check)
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            self.send(Cancel(message.id))
            raise
        finally:
            self._waiting.pop(message.id, None)

    async def close(self) -> None:
        """Requests that wait are refused; `on_lost` is not called."""
        self._on_lost = lambda _: None
        self._writer.transport.abort()  # a daemon that does not read must not hold us up
        await self.ended

    async def _read(self) -> None:
        try:
            while (message := await protocol.read_message(self._reader, protocol.worker_decoder)) is not None:
                self._missed = 0
                self._receive(message)
        except (protocol.ProtocolError, OSError) as error:
            log.warning("lost the worker: %s", error)
        finally:
            self._writer.close()
            if self._beat:
                self._beat.cancel()
            if self._waiting or self.hung:
                self._on_lost(self)
            for request_id, waiting in self._waiting.items():
                if not waiting.answer.done():
                    message = HUNG if self.hung else GONE
                    waiting.answer.set_result(Refused(request_id, "worker-lost", message))

    def _check(self) -> None:
        """Beats are counted, not seconds: a laptop that was asleep has heard nothing for hours."""
        self._beat = None
        if self._missed >= MISSED:
            self.hung = True
            self._writer.transport.abort()
        elif self.usable and (self._waiting or self._missed):
            self._missed += 1
            self.send(StatusRequest(0))  # nobody waits for what it says
            self._beat = asyncio.get_running_loop().call_later(BEAT_S, self._check)

    def _receive(self, message: protocol.WorkerMessage) -> None:
        """Hand a message to the request that waits for it, if one still does."""
        if isinstance(message, protocol.Hello):
            raise protocol.ProtocolError("a second hello")
        waiting = self._waiting.get(message.id)
        if waiting is None or waiting.answer.done():
            return
        if not isinstance(message, Draft):
            waiting.answer.set_result(message)
        elif waiting.on_draft:
            try:
                waiting.on_draft(message)
            except Exception:
                log.exception("on_draft failed")
