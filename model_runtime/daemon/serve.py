"""The worker's process: who is connected, what they say, and how long it lives.

One thread runs the event loop: sockets, messages, deadlines. Another owns the engine (`resident`): it
imports and loads it while the socket already answers, then runs the scheduler. Neither waits for the
other, and the first ends the process when the second is stuck. What is in a message beyond its kind is
not looked at here.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import itertools
import logging
import os
import signal
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from model_runtime import protocol
from model_runtime.daemon.lifecycle import Resident
from model_runtime.daemon.outbox import Outbox
from model_runtime.daemon.scheduler import Scheduler
from model_runtime.diffusion.faults import log_bug, one_line
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
)

from . import endpoint

log = logging.getLogger(__name__)

HELLO_S = 10.0  # a connection that has not said hello by then is closed
POLL_S = 5.0  # how often the worker asks itself whether to leave
FLUSH_S = 1.0  # how long last answers may take to leave when the worker stops
FAILED_S = 60.0  # a worker without a model leaves after this, so that a later request tries afresh
STUCK_S = 120.0  # one step takes so long only if it never ends; compiling for a GPU is part of one
STUCK_STATUS = 70  # exit status of a worker that gave up on its engine
STAYS = 2.0  # the process leaves when it has been idle for this many times as long as its model stays


@dataclass(frozen=True, slots=True)
class Options:
    endpoint: Path
    choice: Choice
    idle_s: float  # unload the model after so long without a request, and leave later; 0: never
    engine: str  # `module:function`, a resident.Loader
    loopback: bool
    stuck_s: float = STUCK_S


class Daemon:
    """Serves one model at one endpoint until stopped, idle, or killed."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._scheduler = Scheduler(self._reply)
        self._resident = Resident(
            self._scheduler,
            choice=options.choice,
            engine=options.engine,
            idle_s=options.idle_s,
        )
        self._clients: dict[Hashable, Outbox] = {}
        self._tasks: dict[asyncio.Task[None], Outbox] = {}  # also those yet to say hello
        self._names = itertools.count(1)
        self._stop = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self.engine_thread = threading.Thread(target=self._run_engine, name="engine", daemon=True)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._listener = await endpoint.listen(
            self._options.endpoint, self._serve_client, loopback=self._options.loopback
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            _on_signal(self._loop, number, self._stop.set)
        log.info("pid %d listens at %s", os.getpid(), self._options.endpoint)
        self.engine_thread.start()
        await self._until_done()
        self._listener.close()
        self._scheduler.close("stopping", "the worker is stopping")
        await self._say_goodbye()
        log.info("pid %d leaves", os.getpid())

    # The engine's thread

    def _run_engine(self) -> None:
        try:
            self._resident.run()
        except BaseException as error:
            log_bug("the engine's thread died", error)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)

    # The event loop's thread

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Outbox(next(self._names), writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = client
        try:
            await self._greet(client, reader)
            self._clients[client.name] = client
            while (message := await self._read(reader)) is not None:
                self._dispatch(client, message)
                await asyncio.sleep(0)  # a client that talks without pause must not shut out the others
        except (ProtocolError, TimeoutError) as error:
            log.warning("client %d dropped: %s", client.name, one_line(error))
        except (EOFError, OSError):
            pass  # gone
        finally:
            self._clients.pop(client.name, None)
            self._scheduler.drop_client(client.name)
            self._tasks.pop(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> protocol.ClientMessage | None:
        return await protocol.read_message(reader, protocol.client_decoder)

    async def _greet(self, client: Outbox, reader: asyncio.StreamReader) -> None:
        """Exchange hellos; a peer of another user learns nothing, one of another version learns ours."""
        if not endpoint.same_user(client.writer):
            raise ProtocolError("another user")
        async with asyncio.timeout(HELLO_S):
            hello = await self._read(reader)
            if hello is None:
                raise EOFError
            if not isinstance(hello, Hello) or not self._listener.admits(hello.token):
                raise ProtocolError("no hello, or without the token")
            client.send(Hello(pid=os.getpid()))
            if hello.version > protocol.VERSION and isinstance(await self._read(reader), Stop):
                self._stop.set()
        if hello.version != protocol.VERSION:
            raise ProtocolError(f"speaks version {hello.version}")

    def _dispatch(self, client: Outbox, message: protocol.ClientMessage) -> None:
        match message:
            case Infill():
                self._scheduler.submit(client.name, message)
                self._expire()
            case Cancel():
                self._scheduler.cancel(client.name, message.id)
            case StatusRequest():
                client.send(self._status(message.id))
            case Feedback():
                self._scheduler.tally.shown += max(0, message.shown)
                self._scheduler.tally.accepted += max(0, message.accepted)
            case Stop():
                self._stop.set()
            case Hello():
                raise ProtocolError("a second hello")

    def _reply(self, client: Hashable, message: protocol.WorkerMessage) -> None:
        """From either thread, in the order of the calls."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is connected any more
            self._loop.call_soon_threadsafe(self._deliver, client, message)

    def _deliver(self, client: Hashable, message: protocol.WorkerMessage) -> None:
        if connected := self._clients.get(client):
            connected.send(message)

    def _expire(self) -> None:
        """Have the scheduler look at its deadlines now and whenever the next one passes."""
        if self._expiry:
            self._expiry.cancel()
        wait = self._scheduler.expire()
        self._expiry = None if wait is None else self._loop.call_later(wait, self._expire)

    def _status(self, request_id: int) -> Status:
        model, load, tally = self._resident.model, self._scheduler.load(), self._scheduler.tally
        parts = tally.percentiles()
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
            clients=len(self._clients),
            queued=load.queued,
            served=tally.served,
            p50_ms=total and total.p50,
            p90_ms=total and total.p90,
            p99_ms=total and total.p99,
            parts=parts,
            requests=tally.requests,
            refused={**tally.refused},
            shown=tally.shown,
            accepted=tally.accepted,
            device_bytes=process_memory.device_bytes(),
            uptime_s=round(self._loop.time() - self._began, 1),
            servers=model.servers(),
        )

    async def _until_done(self) -> None:
        """Until told to stop, or nobody has asked for anything for long enough."""
        failed_at = None
        leaves_s = self._options.idle_s * STAYS
        while not self._stop.is_set():
            state, load, now = self._resident.model.state, self._scheduler.load(), self._loop.time()
            if state == "failed":
                failed_at = failed_at or now
                if now - failed_at > FAILED_S:
                    return
            if state != "loading" and 0 < leaves_s < load.idle_s:
                log.info("idle for %.0f s", load.idle_s)
                return
            if load.stuck_s > self._options.stuck_s:
                _give_up(load.stuck_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(POLL_S, leaves_s or POLL_S, self._options.stuck_s / 2)):
                    await self._stop.wait()

    async def _say_goodbye(self) -> None:
        """Let last answers leave, but do not wait for who does not read them."""
        await asyncio.sleep(0)  # the refusals are on their way to the writers
        leaving = dict(self._tasks)
        for hang_up in (lambda writer: writer.close(), lambda writer: writer.transport.abort()):
            for client in leaving.values():
                hang_up(client.writer)
            if leaving:
                await asyncio.wait(leaving, timeout=FLUSH_S)


def _give_up(seconds: float) -> None:
    """The engine is inside a call that does not return: nothing but a new process helps. Whoever waits
    learns of it by the broken connection."""
    log.error("one step has taken %.0f s: the engine is stuck, the worker ends", seconds)
    faulthandler.dump_traceback(all_threads=True)  # to stderr: lines of our code, none of the user's
    logging.shutdown()
    os._exit(STUCK_STATUS)


def _on_signal(loop: asyncio.AbstractEventLoop, number: int, call: Callable[[], None]) -> None:
    try:
        loop.add_signal_handler(number, call)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(call))
