"""Whose turn it is among the requests that wait. Pure but for who was served when; no clock, no lock.

Who asked by hand comes before who only types, and both before a rewrite; waiting makes up for rank, so
nobody starves. Among equals the client that was served longest ago comes first, then the oldest request.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable
from typing import Protocol, TypeVar

from model_runtime.protocol import Priority

RANK: dict[Priority, int] = {"invoked": 0, "automatic": 1, "rewrite": 2}
PROMOTE_S = 2.0  # so long in the queue is worth one rank


class Waiting(Protocol):
    @property
    def client(self) -> Hashable: ...
    @property
    def priority(self) -> Priority: ...
    @property
    def received(self) -> float: ...


_Waiting = TypeVar("_Waiting", bound=Waiting)


class Turns:
    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._last: dict[Hashable, int] = {}  # client -> number of its last turn

    def next(self, waiting: Iterable[_Waiting], now: float) -> _Waiting | None:
        """Who is to be served now; counts as that client's turn."""

        def order(request: _Waiting) -> tuple[int, int, float]:
            promoted = int((now - request.received) / PROMOTE_S)
            rank = max(0, RANK[request.priority] - promoted)
            return rank, self._last.get(request.client, 0), request.received

        chosen = min(waiting, key=order, default=None)
        if chosen is not None:
            self._last[chosen.client] = next(self._count)
        return chosen

    def forget(self, client: Hashable) -> None:
        self._last.pop(client, None)
