"""How long an automatic request waits for the next keystroke before it is worth the worker's time.

A request that a newer one displaces was in vain. That happens when requests come faster than the worker
answers, and only then does waiting save anything: who types slowly, or has a fast worker, never waits.
Knows no clock and no requests: times are passed in, in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST_MS = 300.0
SHARE = 0.5  # of the worker's usual time; what is typed meanwhile costs half an answer at most
_WEIGHT = 0.3  # of the newest answer in the usual time


@dataclass(frozen=True, slots=True)
class Pace:
    usual_ms: float = 0.0  # that the worker takes; 0 before its first answer
    asked_ms: float = float("-inf")  # when the last request came

    def asked(self, now_ms: float) -> tuple[Pace, float]:
        """A request has come; how long it should wait."""
        hurried = now_ms - self.asked_ms < self.usual_ms
        wait = min(MOST_MS, SHARE * self.usual_ms) if hurried else 0.0
        return replace(self, asked_ms=now_ms), wait

    def answered(self, ms: float) -> Pace:
        """The worker has taken that long for an answer."""
        usual = ms if not self.usual_ms else (1 - _WEIGHT) * self.usual_ms + _WEIGHT * ms
        return replace(self, usual_ms=usual)
