"""What the worker is doing, as an editor's status line would say it. Knows no requests and no sockets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from model_runtime.protocol import Done, Refused, Status

State = Literal["idle", "loading", "busy", "degraded", "stopped"]
_FAULTS = {"failed", "worker-lost", "worker-down"}


@dataclass(frozen=True, slots=True)
class Activity:
    state: State = "stopped"
    message: str = ""  # one line for a person
    progress: float | None = None  # of loading, in [0, 1]
    latency: float | None = None  # milliseconds of the last fill
    running: int = 0  # fills

    def began(self) -> Activity:
        """A fill has begun; while the model loads, it waits for that."""
        state = "loading" if self.state == "loading" else "busy"
        return replace(self, state=state, running=self.running + 1)

    def ended(self, answer: Done | Refused | None, ms: float) -> Activity:
        """A fill has ended; None: it was cancelled."""
        now = replace(self, running=max(0, self.running - 1))
        if isinstance(answer, Done):
            return replace(now, state=now._calm(), message="", progress=None, latency=round(ms, 1))
        if answer and answer.reason == "loading":
            return replace(now, state="loading", message=answer.message)
        if answer and answer.reason in _FAULTS:
            return replace(now, state="degraded", message=answer.message, progress=None)
        return replace(now, state=now._calm()) if now.state == "busy" else now

    def told(self, status: Status | Refused) -> Activity:
        """The worker has said how it is."""
        if isinstance(status, Refused):
            return replace(self, state="stopped", message=status.message, progress=None)
        if status.state == "loading":
            return replace(self, state="loading", message="", progress=status.progress)
        if status.state == "failed":
            return replace(self, state="degraded", message=status.message, progress=None)
        return replace(self, state=self._calm(), message="", progress=None)

    def _calm(self) -> State:
        return "busy" if self.running else "idle"
