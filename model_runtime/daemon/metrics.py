"""What the worker has done, in numbers: answers by kind, and where recent fills spent their time.

Written under the request queue's lock (`shown` and `accepted` by the event loop alone); read from any thread.
Knows no text.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import quantiles

from model_runtime.protocol import Percentiles, Reason

RECENT = 256  # fills that the percentiles are taken from


@dataclass(frozen=True, slots=True)
class Times:
    """One fill's milliseconds. `total` is from receipt to answer, the others are its parts, and
    `step` is the mean of its denoise steps."""

    total: float
    queue: float
    prefill: float
    denoise: float
    step: float
    post: float


class Metrics:
    def __init__(self) -> None:
        self.requests = 0
        self.served = 0
        self.shown = 0
        self.accepted = 0
        self.refused: Counter[Reason] = Counter()
        self._recent: deque[Times] = deque(maxlen=RECENT)

    def add(self, times: Times) -> None:
        self.served += 1
        self._recent.append(times)

    def percentiles(self) -> dict[str, Percentiles]:
        """By field of `Times`; empty before the first fill."""
        if not self._recent:
            return {}
        recent = list(self._recent)
        return {field.name: percentiles([getattr(t, field.name) for t in recent]) for field in fields(Times)}


def percentiles(values: Sequence[float]) -> Percentiles:
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else list(values) * 99
    return Percentiles(*(round(cuts[at - 1], 2) for at in (50, 90, 99)))
