"""The engine's thread: takes the next request from the queue and steps its fill to the end.

Between two denoise steps it sees whether the request has been answered meanwhile, and if so drops the fill.
Between two steps of a rewrite it also lets a completion pass.

Knows nothing of sockets, asyncio, tensors or tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from model_runtime.daemon.request import Request
from model_runtime.daemon.request_queue import RequestQueue
from model_runtime.diffusion.faults import Unfillable, log_bug, one_line
from model_runtime.diffusion.results import Fill, Filling, Order, Step
from model_runtime.network import compilation
from model_runtime.protocol import Done, Draft, Infill, Refused
from model_runtime.retrieval.library import Library

_Result = TypeVar("_Result")


SLICE_S = 0.005  # of indexing texts, between two looks at the queue


class Engine(Protocol):
    """Fills one request at a time. Closing the generator frees all that the fill holds. It yields None
    while a step takes long, as one on a server does."""

    def fill(self, request: Infill, /) -> Filling: ...

    def idle(self) -> None:
        """Called when there is nothing to do; a request that comes meanwhile waits."""
        ...


class Scheduler:
    """Belongs to the engine's thread; only `stuck_s` may be read from any other."""

    def __init__(self, queue: RequestQueue, library: Library | None = None) -> None:
        self.queue = queue
        self.library = library or Library()
        self._clock = queue.clock
        self._entered: float | None = None  # when the engine was last called, until it returns

    @property
    def stuck_s(self) -> float:
        """Seconds that the engine has been in the call it is in; 0 between two calls, and while something is
        compiled."""
        entered, compiling = self._entered, compilation.CURRENT
        if entered is None or compiling.running:
            return 0.0
        return self._clock() - max(entered, compiling.ended)

    def run(self, engine: Engine, idle_s: float = 0.0) -> None:
        """Serve with this engine until the queue is closed, or until nobody has asked for anything for
        `idle_s` (0: no limit). Survives whatever a fill raises."""
        self.queue.set_ready(True)
        while not self.queue.closed:
            if request := self.queue.next():
                self._serve(engine, request)
            elif not self._rest(engine, idle_s):
                break
        self.queue.set_ready(False)

    def _rest(self, engine: Engine, idle_s: float) -> bool:
        """Let the engine use the pause, then wait for a request or the end; False when idle for too long."""
        try:
            self._call(engine.idle)
            while not self.queue.busy and self._call(lambda: self.library.work(SLICE_S)):
                pass
        except Exception as error:
            log_bug("a pause could not be used", error)
        return self.queue.wait(idle_s, until=lambda: self.library.has_news)

    def _serve(self, engine: Engine, request: Request) -> None:
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
        self.queue.answer(request, answer, times)

    def _denoise(self, engine: Engine, request: Request) -> Fill:
        """Step through one fill, for as long as somebody waits for it."""
        steps = engine.fill(request.infill)
        try:
            step = self._call(lambda: next(steps))
            while self._account(request, step):
                if request.priority == "rewrite":
                    self._let_pass(engine, request)
                order: Order = "finish" if request.is_late(self._clock()) else None
                step = self._call(lambda order=order: steps.send(order))
        except StopIteration as stop:
            return stop.value
        finally:
            self._call(lambda: _close(steps))
        raise Unfillable("cancelled", "answered meanwhile; nobody sees this")

    def _let_pass(self, engine: Engine, rewrite: Request) -> None:
        """Between two steps of a rewrite: at most one completion, so that the rewrite goes on, too."""
        began = self._clock()
        if not rewrite.is_late(began) and (request := self.queue.next(passing=rewrite)):
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

    def _account(self, request: Request, step: Step | None) -> bool:
        """Count a step and stream it if asked to; False when the request has been answered."""
        if step is None:
            return self.queue.is_open(request)
        infill, draft = request.infill, None
        if infill.drafts:
            texts = self._call(step.texts)
            draft = Draft(infill.id, step.step, texts, self._call(step.tokens) if infill.tokens else ())
        return self.queue.step_ended(request, draft)


def _close(steps: Filling) -> None:
    try:
        steps.close()
    except Exception as error:
        log_bug("a fill could not be closed", error)
