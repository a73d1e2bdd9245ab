"""The worker's process: what each message sets off, and how long the process lives.

One thread runs the event loop: sockets, messages, deadlines. Another owns the engine (`lifecycle`): it
imports and loads it while the socket already answers, then runs the scheduler. Neither waits for the other,
and the first ends the process when the second is stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from model_runtime import protocol
from model_runtime.daemon.connections import Connections
from model_runtime.daemon.lifecycle import Lifecycle
from model_runtime.daemon.outbox import Outbox
from model_runtime.daemon.request_queue import RequestQueue
from model_runtime.daemon.scheduler import Scheduler
from model_runtime.diffusion.faults import log_bug
from model_runtime.network import process_memory
from model_runtime.protocol import (
    Cancel,
    Choice,
    Feedback,
    Hello,
    Infill,
    ProtocolError,
    Status,
    StatusRequest,
    Stop,
    Texts,
)
from model_runtime.retrieval.library import Library

from . import endpoint

log = logging.getLogger(__name__)

POLL_S = 5.0  # how often the worker asks itself whether to leave
FAILED_S = 60.0  # a worker without a model leaves after this, so that a later request tries afresh
STUCK_S = 120.0  # a step that takes longer never ends, compiling aside
STUCK_STATUS = 70  # exit status of a worker that gave up on its engine
STAYS = 2.0  # the process leaves when it has been idle for this many times as long as its model stays


@dataclass(frozen=True, slots=True)
class Options:
    endpoint: Path
    choice: Choice
    idle_s: float  # without a request: unload the model after so long, leave later; 0: never
    engine: str  # `module:function`, a lifecycle.Loader
    loopback: bool
    stuck_s: float = STUCK_S


class Daemon:
    """Serves one model at one endpoint until stopped, idle, or killed."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._queue = RequestQueue(self._reply)
        self._library = Library()
        self._scheduler = Scheduler(self._queue, self._library)
        self._lifecycle = Lifecycle(
            self._scheduler,
            choice=options.choice,
            engine=options.engine,
            idle_s=options.idle_s,
        )
        self._stop = asyncio.Event()
        self._connections = Connections(
            admits=lambda token: self._listener.admits(token),
            dispatch=self._dispatch,
            gone=self._gone,
            make_room=self._stop.set,
        )
        self._expiry: asyncio.TimerHandle | None = None
        self.engine_thread = threading.Thread(target=self._run_engine, name="engine", daemon=True)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._listener = await endpoint.listen(
            self._options.endpoint, self._connections.serve, loopback=self._options.loopback
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            _on_signal(self._loop, number, self._stop.set)
        log.info("pid %d listens at %s", os.getpid(), self._options.endpoint)
        self.engine_thread.start()
        await self._until_done()
        self._listener.close()
        self._queue.close("stopping", "the worker is stopping")
        await self._connections.hang_up()
        log.info("pid %d leaves", os.getpid())

    # The engine's thread

    def _run_engine(self) -> None:
        try:
            self._lifecycle.run()
        except BaseException as error:
            log_bug("the engine's thread died", error)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)

    def _reply(self, client: Hashable, message: protocol.WorkerMessage) -> None:
        """From either thread, in the order of the calls."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is connected any more
            self._loop.call_soon_threadsafe(self._connections.send, client, message)

    # The event loop's thread

    def _dispatch(self, client: Outbox, message: protocol.ClientMessage) -> None:
        match message:
            case Infill():
                self._queue.submit(client.name, message)
                self._expire()
            case Cancel():
                self._queue.cancel(client.name, message.id)
            case StatusRequest():
                client.send(self._status(message.id))
            case Texts():
                self._library.put(client.name, message)
                self._queue.wake()
            case Feedback():
                self._queue.metrics.shown += max(0, message.shown)
                self._queue.metrics.accepted += max(0, message.accepted)
            case Stop():
                self._stop.set()
            case Hello():
                raise ProtocolError("a second hello")

    def _gone(self, client: Hashable) -> None:
        self._queue.drop_client(client)
        self._library.drop_client(client)
        self._queue.wake()

    def _expire(self) -> None:
        """Have the queue look at its deadlines now and whenever the next one passes."""
        if self._expiry:
            self._expiry.cancel()
        wait = self._queue.expire()
        self._expiry = None if wait is None else self._loop.call_later(wait, self._expire)

    def _status(self, request_id: int) -> Status:
        model, metrics = self._lifecycle.model, self._queue.metrics
        parts = metrics.percentiles()
        total = parts.pop("total", None)
        return Status(
            id=request_id,
            pid=os.getpid(),
            state=model.state,
            model=model.name,
            device=model.device,
            message=model.message,
            progress=model.progress,
            memory_bytes=process_memory.resident_bytes(),
            clients=len(self._connections),
            queued=self._queue.queued,
            served=metrics.served,
            p50_ms=total and total.p50,
            p90_ms=total and total.p90,
            p99_ms=total and total.p99,
            parts=parts,
            requests=metrics.requests,
            refused={**metrics.refused},
            shown=metrics.shown,
            accepted=metrics.accepted,
            device_bytes=process_memory.device_bytes(),
            uptime_s=round(self._loop.time() - self._began, 1),
            servers=model.servers(),
            indexing=self._library.indexing,
            calibrated=model.calibrated,
            dtype=model.dtype,
        )

    async def _until_done(self) -> None:
        """Until told to stop, or nobody has asked for anything for long enough."""
        failed_at = None
        leaves_s = self._options.idle_s * STAYS
        while not self._stop.is_set():
            state, now = self._lifecycle.model.state, self._loop.time()
            idle_s, stuck_s = self._queue.idle_s, self._scheduler.stuck_s
            if state == "failed":
                failed_at = failed_at or now
                if now - failed_at > FAILED_S:
                    return
            if state != "loading" and 0 < leaves_s < idle_s:
                log.info("idle for %.0f s", idle_s)
                return
            if stuck_s > self._options.stuck_s:
                _give_up(stuck_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(POLL_S, leaves_s or POLL_S, self._options.stuck_s / 2)):
                    await self._stop.wait()


def _give_up(seconds: float) -> None:
    """The engine is inside a call that does not return: nothing but a new process helps. Clients that wait
    learn of it by the broken connection."""
    log.error("one step has taken %.0f s: the engine is stuck, the worker ends", seconds)
    faulthandler.dump_traceback(all_threads=True)  # to stderr: lines of our code, none of the user's
    logging.shutdown()
    os._exit(STUCK_STATUS)


def _on_signal(loop: asyncio.AbstractEventLoop, number: int, call: Callable[[], None]) -> None:
    try:
        loop.add_signal_handler(number, call)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(call))
