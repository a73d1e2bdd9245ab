"""One request while it is open: when it came, how far it is, when it is too late.

No lock and no clock: the caller holds the queue's lock and says what time it is. Times are seconds on the
queue's clock.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from model_runtime.daemon.metrics import Times
from model_runtime.diffusion.results import Fill
from model_runtime.protocol import Infill, Priority, Refused

OVERTIME_S = 5.0  # how long after its deadline a fill may still bring its best so far


@dataclass(eq=False, slots=True)
class Request:
    client: Hashable
    infill: Infill
    received: float
    deadline: float | None  # None: it may take as long as it likes
    running: bool = False
    steps: int = 0
    started: float = 0.0
    stepped: float = 0.0  # when the last step ended
    paused: float = 0.0  # seconds in which other requests ran between its steps

    @property
    def key(self) -> tuple[Hashable, int]:
        return self.client, self.infill.id

    @property
    def priority(self) -> Priority:
        return self.infill.priority

    @property
    def refused_at(self) -> float | None:
        """When it is refused if it is still open. With a step behind it there is something to answer with,
        so the running step gets some overtime."""
        if self.deadline is None:
            return None
        return self.deadline + OVERTIME_S if self.steps else self.deadline

    def is_late(self, now: float) -> bool:
        return self.deadline is not None and self.deadline <= now

    def late_refusal(self, *, ready: bool) -> Refused:
        """`ready`: a model is loaded."""
        number = self.infill.id
        if self.steps:
            return Refused(number, "deadline", "out of time, and so was the last step")
        if ready:
            message = "out of time before the first step; infill.deadlineMs may be too short"
            return Refused(number, "deadline", message)
        return Refused(number, "loading", "the model is still loading")

    def times(self, now: float, fill: Fill) -> Times:
        """Where the time went, for a fill that ends now; after no step it was all spent before or after."""
        queue = self.started - self.received + self.paused
        stepped = self.stepped if self.steps else self.started
        denoise = stepped - self.started - self.paused - fill.prefill_ms / 1000
        post = now - stepped
        seconds = (
            now - self.received,
            queue,
            fill.prefill_ms / 1000,
            denoise,
            denoise / max(1, self.steps),
            post,
        )
        return Times(*(1000 * max(0.0, part) for part in seconds))
