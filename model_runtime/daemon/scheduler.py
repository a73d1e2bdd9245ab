"""Which request runs next, and that each gets exactly one answer.

A request is *queued*, then *running*, then *answered*. Answering is one-way and whoever does it
first wins: the engine thread with a result, or the socket thread with a refusal (cancelled,
superseded, out of time). The engine thread notices between two denoise steps that its request
has been answered and drops the fill, so a refusal never waits for a slow step. Between two steps
of a rewrite it also lets completions pass.

Knows nothing of sockets, asyncio, tensors or tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from model_runtime.daemon.fairness import Turns
from model_runtime.daemon.metrics import Tally, Times
from model_runtime.diffusion.faults import Unfillable, log_bug, one_line
from model_runtime.diffusion.results import Fill, Filling, Order, Step
from model_runtime.protocol import (
    Done,
    Draft,
    Infill,
    Priority,
    ProtocolError,
    Reason,
    Refused,
)

MAX_QUEUE = 64  # requests, over all clients
MAX_SHARE = 16  # requests of one client
OVERTIME_S = 5.0  # how long after its deadline a fill may still bring its best so far

Answer = Done | Refused
Reply = Callable[[Hashable, Draft | Answer], None]
_Result = TypeVar("_Result")


class Engine(Protocol):
    """Fills one request at a time; closing the generator frees all that the fill holds. It yields None
    where a step takes long, as one on a server does."""

    def fill(self, request: Infill, /) -> Filling: ...

    def idle(self) -> None:
        """Called when there is nothing to do; a request that comes meanwhile waits."""
        ...


@dataclass(frozen=True, slots=True)
class Load:
    """What the scheduler has to do."""

    queued: int
    idle_s: float  # since the last request came or was answered; 0 while there is one
    stuck_s: float  # how long the engine has been at what it is doing; 0 between steps


@dataclass(eq=False, slots=True)
class _Request:
    client: Hashable
    infill: Infill
    received: float
    due: float | None  # on the scheduler's clock
    running: bool = False
    steps: int = 0
    started: float = 0.0
    stepped: float = 0.0  # when the last step ended
    paused: float = 0.0  # seconds, while others passed

    @property
    def key(self) -> tuple[Hashable, int]:
        return self.client, self.infill.id

    @property
    def priority(self) -> Priority:
        return self.infill.priority

    def times(self, now: float, fill: Fill) -> Times:
        queue = self.started - self.received + self.paused
        denoise = self.stepped - self.started - self.paused - fill.prefill_ms / 1000
        post = now - self.stepped
        seconds = (now - self.received, queue, fill.prefill_ms / 1000, denoise, denoise / self.steps, post)
        return Times(*(1000 * max(0.0, part) for part in seconds))


class Scheduler:
    """Thread-safe. `run` and `wait` belong to the engine's thread; all else may be called from any other.

    `reply` is called under the lock, from either thread: it must return at once and not call back.
    """

    def __init__(
        self,
        reply: Reply,
        *,
        max_queue: int = MAX_QUEUE,
        max_share: int = MAX_SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally()
        self._reply = reply
        self._max_queue = max_queue
        self._max_share = max_share
        self._clock = clock
        self._changed = threading.Condition()
        self._turns = Turns()
        self._open: dict[tuple[Hashable, int], _Request] = {}  # not yet answered, oldest first
        self._ready = False  # an engine is there
        self._closed: tuple[Reason, str] | None = None  # why nothing is accepted any more
        self._touched = clock()
        self._entered: float | None = None  # when the engine was last called, until it returns

    def submit(self, client: Hashable, infill: Infill) -> None:
        """Queue a request, or refuse it at once. An id that is still open is a ProtocolError."""
        with self._changed:
            now = self._touched = self._clock()
            due = None if infill.deadline_ms is None else now + infill.deadline_ms / 1000
            request = _Request(client, infill, now, due)
            if request.key in self._open:
                raise ProtocolError(f"request {infill.id} is still open")
            self.tally.requests += 1
            for older in list(self._open.values()):
                if older.client == client and older.infill.document == infill.document:
                    self._refuse(older, "superseded")
            queued = [other.client for other in self._open.values() if not other.running]
            self._open[request.key] = request
            if self._closed:
                self._refuse(request, *self._closed)
            elif len(queued) >= self._max_queue or queued.count(client) >= self._max_share:
                self._refuse(request, "busy", f"{len(queued)} requests are waiting already")
            else:
                self._changed.notify()

    def cancel(self, client: Hashable, request_id: int) -> None:
        """Refuse a request; one that is unknown or answered already is none of our business."""
        with self._changed:
            request = self._open.get((client, request_id))
            if request:
                self._refuse(request, "cancelled")

    def drop_client(self, client: Hashable) -> None:
        """The client is gone: drop all that it asked for."""
        with self._changed:
            for request in list(self._open.values()):
                if request.client == client:
                    self._refuse(request, "cancelled")
            self._turns.forget(client)

    def close(self, reason: Reason, message: str) -> None:
        """Refuse everything, now and from now on, and let `run` return. The first call's reason stays."""
        with self._changed:
            self._closed = self._closed or (reason, message)
            for request in list(self._open.values()):
                self._refuse(request, *self._closed)
            self._changed.notify()

    def expire(self) -> float | None:
        """Refuse what ran out of time; the seconds until the next one will.

        A fill with a step behind it is finished by `run` instead, with the best so far, unless that
        takes too long as well.
        """
        with self._changed:
            now = self._clock()
            for request in list(self._open.values()):
                if (ends := self._ends(request)) is not None and ends <= now:
                    self._refuse_late(request)
            waiting = [ends for r in self._open.values() if (ends := self._ends(r)) is not None]
            return max(0.001, min(waiting) - now) if waiting else None

    def load(self) -> Load:
        with self._changed:
            now, entered = self._clock(), self._entered
            return Load(
                queued=sum(not request.running for request in self._open.values()),
                idle_s=0.0 if self._open else now - self._touched,
                stuck_s=0.0 if entered is None else now - entered,
            )

    def run(self, engine: Engine, idle_s: float = 0.0) -> None:
        """Serve with this engine until `close`, or until nobody has asked for anything for `idle_s` (0: no
        limit). Survives whatever a fill raises."""
        with self._changed:
            self._ready = True
            self._touched = self._clock()
        while not self._closed:
            if request := self._next():
                self._serve(engine, request)
            elif not self._rest(engine, idle_s):
                break
        self._ready = False

    def wait(self) -> bool:
        """Until there is a request; False when closed instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._closed)
            return not self._closed

    def _next(self, *, passing: _Request | None = None) -> _Request | None:
        """Whose turn it is; only what may pass a running rewrite, if there is one."""
        with self._changed:
            for request in list(self._open.values()):
                if not request.running and self._late(request):
                    self._refuse_late(request)
            waiting = [
                r for r in self._open.values() if not r.running and not (passing and r.priority == "rewrite")
            ]
            request = self._turns.next(waiting, self._clock())
            if request:
                request.running = True
            return request

    def _rest(self, engine: Engine, idle_s: float) -> bool:
        """Let the engine use the pause, then wait for a request or the end; False when idle for too long."""
        try:
            self._call(engine.idle)
        except Exception as error:
            log_bug("a pause could not be used", error)
        with self._changed:
            left = max(0.0, self._touched + idle_s - self._clock()) if idle_s else None
            return bool(self._changed.wait_for(lambda: self._open or self._closed, left))

    def _serve(self, engine: Engine, request: _Request) -> None:
        request.started = self._clock()
        times = None
        try:
            fill = self._denoise(engine, request)
            times = request.times(self._clock(), fill)
            answer = Done(
                id=request.infill.id,
                texts=tuple(fill.texts),
                confidence=fill.confidence,
                steps=fill.steps,
                queue_ms=times.queue,
                prefill_ms=fill.prefill_ms,
                denoise_ms=fill.denoise_ms,
                complete=fill.complete,
                alternatives=fill.alternatives,
                sources=fill.sources,
            )
        except Unfillable as error:
            answer = Refused(request.infill.id, error.reason, one_line(error))
        except MemoryError as error:
            log_bug("a fill ran out of memory", error)
            answer = Refused(request.infill.id, "failed", "out of memory; use a smaller model")
        except Exception as error:
            log_bug("a fill failed", error)
            message = f"the fill failed ({type(error).__name__}); the worker's log says where"
            answer = Refused(request.infill.id, "failed", message)
        self._answer(request, answer, times)

    def _denoise(self, engine: Engine, request: _Request) -> Fill:
        """Step through one fill, for as long as somebody waits for it."""
        steps = engine.fill(request.infill)
        try:
            step = self._call(lambda: next(steps))
            while self._advance(request, step):
                if request.priority == "rewrite":
                    self._let_pass(engine, request)
                order: Order = "finish" if self._late(request) else None
                step = self._call(lambda order=order: steps.send(order))
        except StopIteration as stop:
            return stop.value
        finally:
            self._call(lambda: _close(steps))
        raise Unfillable("cancelled", "answered meanwhile; nobody sees this")

    def _let_pass(self, engine: Engine, rewrite: _Request) -> None:
        """Between two steps of a rewrite: at most one completion, so that the rewrite goes on, too."""
        if not self._late(rewrite) and (request := self._next(passing=rewrite)):
            began = self._clock()
            self._serve(engine, request)
            now = self._clock()
            rewrite.paused += now - began
            rewrite.stepped = now

    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Into the engine and back, on the clock that shows whether it is stuck."""
        self._entered = self._clock()
        try:
            return function()
        finally:
            self._entered = None

    def _advance(self, request: _Request, step: Step | None) -> bool:
        """Account for a step and stream it if asked to; False when the request was answered."""
        infill, draft = request.infill, None
        if step and infill.drafts:
            texts = self._call(step.texts)
            draft = Draft(infill.id, step.step, texts, self._call(step.tokens) if infill.tokens else ())
        with self._changed:
            if not self._is_open(request):
                return False
            if step is None:
                return True
            request.steps += 1
            request.stepped = self._clock()
            if draft:
                self._reply(request.client, draft)
            return True

    def _answer(self, request: _Request, answer: Answer, times: Times | None = None) -> None:
        """The only place where a request ends. Later answers to it are dropped."""
        with self._changed:
            if not self._is_open(request):
                return
            del self._open[request.key]
            self._touched = self._clock()
            if isinstance(answer, Refused):
                self.tally.refused[answer.reason] += 1
            elif times:
                self.tally.done(times)
            self._reply(request.client, answer)

    def _refuse(self, request: _Request, reason: Reason, message: str = "") -> None:
        self._answer(request, Refused(request.infill.id, reason, message))

    def _refuse_late(self, request: _Request) -> None:
        if request.steps:
            self._refuse(request, "deadline", "out of time, and so was the last step")
        elif self._ready:
            self._refuse(
                request, "deadline", "out of time before the first step; infill.deadlineMs may be too short"
            )
        else:
            self._refuse(request, "loading", "the model is still loading")

    def _late(self, request: _Request) -> bool:
        return request.due is not None and request.due <= self._clock()

    def _ends(self, request: _Request) -> float | None:
        """When it is to be refused, finished or not."""
        if request.due is None:
            return None
        return request.due + OVERTIME_S if request.steps else request.due

    def _is_open(self, request: _Request) -> bool:
        return self._open.get(request.key) is request


def _close(steps: Filling) -> None:
    try:
        steps.close()
    except Exception as error:
        log_bug("a fill could not be closed", error)
