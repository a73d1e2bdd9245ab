"""How long an automatic request waits for the next keystroke before the worker is asked.

Work on a request that a newer one displaces is wasted. This happens when requests come faster than the worker
answers, and only then is there a wait: a slow typist, or one with a fast worker, never waits.
Knows no clock and no requests: times are passed in, in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST_MS = 300.0  # no request waits longer
SHARE = 0.5  # of the worker's usual time is the wait, so that it delays an answer by half at most
_WEIGHT = 0.3  # of the newest answer in the usual time


@dataclass(frozen=True, slots=True)
class Debounce:
    usual_ms: float = 0.0  # a moving average of the worker's times; 0 before its first answer
    last_request_ms: float = float("-inf")

    def requested(self, now_ms: float) -> tuple[Debounce, float]:
        """A request has come. The second value is how long it should wait, in milliseconds."""
        hurried = now_ms - self.last_request_ms < self.usual_ms
        wait = min(MOST_MS, SHARE * self.usual_ms) if hurried else 0.0
        return replace(self, last_request_ms=now_ms), wait

    def answered(self, ms: float) -> Debounce:
        """The worker has answered, after `ms` milliseconds."""
        usual = ms if not self.usual_ms else (1 - _WEIGHT) * self.usual_ms + _WEIGHT * ms
        return replace(self, usual_ms=usual)
