"""The open requests: each is *queued*, then *running*, then *answered*, and answered exactly once.

Answering is one-way and whoever does it first wins: the engine's thread with a result, or the event loop's
thread with a refusal (cancelled, superseded, out of time). So a refusal never waits for a slow step.

Knows nothing of sockets, asyncio or engines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from model_runtime.daemon.fairness import Turns
from model_runtime.daemon.metrics import Metrics, Times
from model_runtime.daemon.request import Request
from model_runtime.protocol import Done, Draft, Infill, ProtocolError, Reason, Refused

MAX_QUEUE = 64  # requests, over all clients
MAX_SHARE = 16  # requests of one client

Answer = Done | Refused
Reply = Callable[[Hashable, Draft | Answer], None]


class RequestQueue:
    """Thread-safe.

    `reply` is called under the lock, from any thread: it must return at once and not call back.
    """

    def __init__(
        self,
        reply: Reply,
        *,
        max_queue: int = MAX_QUEUE,
        max_share: int = MAX_SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = Metrics()
        self.clock = clock
        self._reply = reply
        self._max_queue = max_queue
        self._max_share = max_share
        self._changed = threading.Condition()
        self._turns = Turns()
        self._open: dict[tuple[Hashable, int], Request] = {}  # not yet answered, oldest first
        self._ready = False  # a model is loaded
        self._closed: tuple[Reason, str] | None = None  # why nothing is accepted any more
        self._touched = clock()  # when a request last came or was answered

    # Called by the event loop's thread

    def submit(self, client: Hashable, infill: Infill) -> None:
        """Queue a request, or refuse it at once. An id that is still open is a ProtocolError."""
        with self._changed:
            now = self._touched = self.clock()
            deadline = None if infill.deadline_ms is None else now + infill.deadline_ms / 1000
            request = Request(client, infill, now, deadline)
            if request.key in self._open:
                raise ProtocolError(f"request {infill.id} is still open")
            self.metrics.requests += 1
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
        """Refuse a request. One that is unknown or answered already is left alone."""
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

    def expire(self) -> float | None:
        """Refuse what ran out of time. Returns the seconds until the next request will, or None.

        A fill with a step behind it is not refused at its deadline: the engine's thread ends it with the
        best so far, unless that takes too long as well.
        """
        with self._changed:
            now = self.clock()
            for request in list(self._open.values()):
                if (at := request.refused_at) is not None and at <= now:
                    self.answer(request, request.late_refusal(ready=self._ready))
            waiting = [at for r in self._open.values() if (at := r.refused_at) is not None]
            return max(0.001, min(waiting) - now) if waiting else None

    # Called by the engine's thread

    def set_ready(self, ready: bool) -> None:
        """A model has been loaded (idle time starts anew), or is about to be unloaded."""
        with self._changed:
            self._ready = ready
            if ready:
                self._touched = self.clock()

    def next(self, *, passing: Request | None = None) -> Request | None:
        """The request whose turn it is, from now on running. With `passing`, a rewrite that is running, only
        what may run between two of its steps."""
        with self._changed:
            now = self.clock()
            for request in list(self._open.values()):
                if not request.running and request.is_late(now):
                    self.answer(request, request.late_refusal(ready=self._ready))
            waiting = [
                r for r in self._open.values() if not r.running and not (passing and r.priority == "rewrite")
            ]
            request = self._turns.next(waiting, now)
            if request:
                request.running = True
            return request

    def step_ended(self, request: Request, draft: Draft | None) -> bool:
        """Count a step and send its draft. False when the request has been answered meanwhile."""
        with self._changed:
            if not self.is_open(request):
                return False
            request.steps += 1
            request.stepped = self.clock()
            if draft:
                self._reply(request.client, draft)
            return True

    def wait(self, idle_s: float = 0.0, until: Callable[[], bool] = lambda: False) -> bool:
        """Until a request is open, the queue is closed, or `until` holds when it is woken. False when
        nothing of this came within `idle_s` of the last request or answer (0: no limit)."""
        with self._changed:
            left = max(0.0, self._touched + idle_s - self.clock()) if idle_s else None
            return bool(self._changed.wait_for(lambda: self._open or self._closed or until(), left))

    # Called by either

    def answer(self, request: Request, answer: Answer, times: Times | None = None) -> None:
        """The only place where a request ends. Later answers to it are dropped."""
        with self._changed:
            if not self.is_open(request):
                return
            del self._open[request.key]
            self._touched = self.clock()
            if isinstance(answer, Refused):
                self.metrics.refused[answer.reason] += 1
            elif times:
                self.metrics.add(times)
            self._reply(request.client, answer)

    def wake(self) -> None:
        """Have `wait` look at its condition."""
        with self._changed:
            self._changed.notify()

    def close(self, reason: Reason, message: str) -> None:
        """Refuse everything, now and from now on. The first call's reason stays."""
        with self._changed:
            self._closed = self._closed or (reason, message)
            for request in list(self._open.values()):
                self._refuse(request, *self._closed)
            self._changed.notify()

    @property
    def closed(self) -> bool:
        return self._closed is not None

    @property
    def busy(self) -> bool:
        """A request is open, or nothing is to be done any more."""
        return bool(self._open or self._closed)

    @property
    def queued(self) -> int:
        """Requests that wait, without those that run."""
        with self._changed:
            return sum(not request.running for request in self._open.values())

    @property
    def idle_s(self) -> float:
        """Seconds since the last request came or was answered; 0 while one is open."""
        with self._changed:
            return 0.0 if self._open else self.clock() - self._touched

    def is_open(self, request: Request) -> bool:
        with self._changed:
            return self._open.get(request.key) is request

    def _refuse(self, request: Request, reason: Reason, message: str = "") -> None:
        self.answer(request, Refused(request.infill.id, reason, message))
