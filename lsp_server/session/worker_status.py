"""What the worker is doing, as an editor's status line shows it. Knows no documents and no sockets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from model_runtime.protocol import Done, Refused, Status

State = Literal["idle", "loading", "busy", "degraded", "stopped"]
_FAULTS = {"failed", "worker-lost", "worker-down"}


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    state: State = "stopped"
    message: str = ""  # one line for a person
    progress: float | None = None  # of loading the model, in [0, 1]
    latency: float | None = None  # milliseconds of the last fill
    running: int = 0  # fills that have begun and not ended

    def began(self) -> WorkerStatus:
        """A fill has begun. While the model loads, the fill waits for it."""
        state = "loading" if self.state == "loading" else "busy"
        return replace(self, state=state, running=self.running + 1)

    def ended(self, answer: Done | Refused | None, ms: float) -> WorkerStatus:
        """A fill has ended after `ms` milliseconds, with None if it was cancelled or raised."""
        now = replace(self, running=max(0, self.running - 1))
        if isinstance(answer, Done):
            return replace(now, state=now._when_ready(), message="", progress=None, latency=round(ms, 1))
        if answer and answer.reason == "loading":
            return replace(now, state="loading", message=answer.message)
        if answer and answer.reason in _FAULTS:
            return replace(now, state="degraded", message=answer.message, progress=None)
        return replace(now, state=now._when_ready()) if now.state == "busy" else now

    def told(self, status: Status | Refused) -> WorkerStatus:
        """The worker has answered a status request."""
        if isinstance(status, Refused):
            return replace(self, state="stopped", message=status.message, progress=None)
        if status.state == "loading":
            return replace(self, state="loading", message="", progress=status.progress)
        if status.state == "failed":
            return replace(self, state="degraded", message=status.message, progress=None)
        return replace(self, state=self._when_ready(), message="", progress=None)

    def _when_ready(self) -> State:
        return "busy" if self.running else "idle"
