"""Which request runs next, and that each gets exactly one answer.

A request is *queued*, then *running*, then *answered*. Answering is one-way and whoever does it
first wins: the engine thread with a result, or the socket thread with a refusal (cancelled,
superseded, out of time). The engine thread notices between two denoise steps that its request
has been answered and drops the fill, so a refusal never waits for a slow step.

Knows nothing of sockets, asyncio, tensors or tokens.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from statistics import quantiles
from typing import Literal, Protocol

from model_runtime.faults import Unfillable, log_bug, one_line
from model_runtime.protocol import Done, Draft, Infill, ProtocolError, Reason, Refused

MAX_QUEUE = 64  # requests, over all clients
RECENT = 256  # answers that the percentiles are taken from

Answer = Done | Refused
Order = Literal["finish"] | None  # sent into a fill: return the best so far, or take another step
Reply = Callable[[Hashable, Draft | Answer], None]


class Step(Protocol):
    """What a fill yields after each denoise step."""

    @property
    def step(self) -> int: ...
    @property
    def texts(self) -> Callable[[], tuple[str, ...]]: ...


class Fill(Protocol):
    """What a fill returns."""

    @property
    def texts(self) -> tuple[str, ...]: ...
    @property
    def confidence(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def prefill_ms(self) -> float: ...
    @property
    def denoise_ms(self) -> float: ...
    @property
    def complete(self) -> bool: ...
    @property
    def alternatives(self) -> tuple[tuple[str, ...], ...]: ...
    @property
    def sources(self) -> frozenset[str]: ...


class Engine(Protocol):
    """Fills one request at a time; closing the generator frees all that the fill holds."""

    def fill(self, request: Infill, /) -> Generator[Step, Order, Fill]: ...

    def idle(self) -> None:
        """Called when there is nothing to do; a request that comes meanwhile waits."""
        ...


@dataclass(frozen=True, slots=True)
class Load:
    """What the scheduler has had to do, for `Status`."""

    queued: int
    served: int
    p50_ms: float | None
    p90_ms: float | None
    idle_s: float  # since the last request came or was answered; 0 while there is one


@dataclass(eq=False, slots=True)
class _Request:
    client: Hashable
    infill: Infill
    received: float
    due: float | None  # on the scheduler's clock
    running: bool = False
    steps: int = 0

    @property
    def key(self) -> tuple[Hashable, int]:
        return self.client, self.infill.id


class Scheduler:
    """Thread-safe. `run` belongs to the engine's thread; all else may be called from any other.

    `reply` is called under the lock, from either thread: it must return at once and not call back.
    """

    def __init__(
        self, reply: Reply, *, max_queue: int = MAX_QUEUE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reply = reply
        self._max_queue = max_queue
        self._clock = clock
        self._changed = threading.Condition()
        self._open: dict[tuple[Hashable, int], _Request] = {}  # not yet answered, oldest first
        self._ready = False  # an engine is there
        self._closed: tuple[Reason, str] | None = None  # why nothing is accepted any more
        self._served = 0
        self._recent_ms: deque[float] = deque(maxlen=RECENT)
        self._touched = clock()

    def submit(self, client: Hashable, infill: Infill) -> None:
        """Queue a request, or refuse it at once. An id that is still open is a ProtocolError."""
        with self._changed:
            now = self._touched = self._clock()
            due = None if infill.deadline_ms is None else now + infill.deadline_ms / 1000
            request = _Request(client, infill, now, due)
            if request.key in self._open:
                raise ProtocolError(f"request {infill.id} is still open")
            for older in list(self._open.values()):
                if older.client == client and older.infill.document == infill.document:
                    self._refuse(older, "superseded")
            queued = sum(not other.running for other in self._open.values())
            self._open[request.key] = request
            if self._closed:
                self._refuse(request, *self._closed)
            elif queued >= self._max_queue:
                self._refuse(request, "busy", f"{queued} requests are waiting already")
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

    def close(self, reason: Reason, message: str) -> None:
        """Refuse everything, now and from now on, and let `run` return. The first call's reason stays."""
        with self._changed:
            self._closed = self._closed or (reason, message)
            for request in list(self._open.values()):
                self._refuse(request, *self._closed)
            self._changed.notify()

    def expire(self) -> float | None:
        """Refuse what ran out of time before its first step; the seconds until the next one will.

        A fill with a step behind it is finished by `run` instead, with the best so far.
        """
        with self._changed:
            for request in list(self._open.values()):
                if self._late(request) and not request.steps:
                    self._refuse_late(request)
            waiting = [r.due for r in self._open.values() if r.due is not None and not r.steps]
            return max(0.001, min(waiting) - self._clock()) if waiting else None

    def load(self) -> Load:
        with self._changed:
            recent = list(self._recent_ms)
            cuts = quantiles(recent, n=10, method="inclusive") if len(recent) > 1 else recent * 9
            return Load(
                queued=sum(not request.running for request in self._open.values()),
                served=self._served,
                p50_ms=cuts[4] if cuts else None,
                p90_ms=cuts[8] if cuts else None,
                idle_s=0.0 if self._open else self._clock() - self._touched,
            )

    def run(self, engine: Engine) -> None:
        """Serve with this engine until `close`. Survives whatever a fill raises."""
        with self._changed:
            self._ready = True
            self._touched = self._clock()
        while not self._closed:
            if request := self._next():
                answer = self._fill(engine, request)
                self._answer(request, answer)
            else:
                self._rest(engine)

    def _next(self) -> _Request | None:
        """The oldest queued request that still has time, if any."""
        with self._changed:
            for request in list(self._open.values()):
                if not self._late(request):
                    request.running = True
                    return request
                self._refuse_late(request)
            return None

    def _rest(self, engine: Engine) -> None:
        """Let the engine use the pause, then wait for a request or the end."""
        try:
            engine.idle()
        except Exception as error:
            log_bug("a pause could not be used", error)
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._closed)

    def _fill(self, engine: Engine, request: _Request) -> Answer:
        started = self._clock()
        try:
            fill = self._denoise(engine, request)
            return Done(
                id=request.infill.id,
                texts=tuple(fill.texts),
                confidence=fill.confidence,
                steps=fill.steps,
                queue_ms=(started - request.received) * 1000,
                prefill_ms=fill.prefill_ms,
                denoise_ms=fill.denoise_ms,
                complete=fill.complete,
                alternatives=tuple(fill.alternatives),
                sources=tuple(sorted(fill.sources)),
            )
        except Unfillable as error:
            return Refused(request.infill.id, error.reason, one_line(error))
        except Exception as error:
            log_bug("a fill failed", error)
            return Refused(request.infill.id, "failed", one_line(error))

    def _denoise(self, engine: Engine, request: _Request) -> Fill:
        """Step through one fill, for as long as somebody waits for it."""
        steps = engine.fill(request.infill)
        try:
            step = next(steps)
            while self._advance(request, step):
                step = steps.send("finish" if self._late(request) else None)
        except StopIteration as stop:
            return stop.value
        finally:
            _close(steps)
        raise Unfillable("cancelled", "answered meanwhile; nobody sees this")

    def _advance(self, request: _Request, step: Step) -> bool:
        """Account for a step and stream it if asked to; False when the request was answered."""
        texts = step.texts() if request.infill.drafts else None
        with self._changed:
            if not self._is_open(request):
                return False
            request.steps += 1
            if texts is not None:
                self._reply(request.client, Draft(request.infill.id, step.step, texts))
            return True

    def _answer(self, request: _Request, answer: Answer) -> None:
        """The only place where a request ends. Later answers to it are dropped."""
        with self._changed:
            if not self._is_open(request):
                return
            del self._open[request.key]
            self._touched = self._clock()
            if isinstance(answer, Done):
                self._served += 1
                self._recent_ms.append((self._touched - request.received) * 1000)
            self._reply(request.client, answer)

    def _refuse(self, request: _Request, reason: Reason, message: str = "") -> None:
        self._answer(request, Refused(request.infill.id, reason, message))

    def _refuse_late(self, request: _Request) -> None:
        if self._ready:
            self._refuse(request, "deadline", "out of time before the first step")
        else:
            self._refuse(request, "loading", "the model is still loading")

    def _late(self, request: _Request) -> bool:
        return request.due is not None and request.due <= self._clock()

    def _is_open(self, request: _Request) -> bool:
        return self._open.get(request.key) is request


def _close(steps: Generator[Step, Order, Fill]) -> None:
    try:
        steps.close()
    except Exception as error:
        log_bug("a fill could not be closed", error)
