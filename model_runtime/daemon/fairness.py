"""Whose turn it is among the requests that wait.

A completion asked for by hand comes before one that typing triggers, and both before a rewrite. A request
that waits rises in rank, so that none starves. Within a rank the client that was served longest ago comes
first, then the oldest request.

No clock and no lock; the only state is which client was served when.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable
from typing import Protocol, TypeVar

from model_runtime.protocol import Priority

RANK: dict[Priority, int] = {"invoked": 0, "automatic": 1, "rewrite": 2}
PROMOTE_S = 2.0  # after each such time in the queue a request rises by one rank


class Waiting(Protocol):
    """What is looked at of a request. `received` is in seconds, on the clock of `now`."""

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
