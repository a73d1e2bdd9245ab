"""Fills that have begun: they outlive the requests that began them, for the ones that come as the user types.

An editor asks anew at each key, and most give the request before up. What that request began is kept: its
answer is as good one key later if it begins with that key. So a document has one fill at a time, no fill is
thrown away while what is typed may follow it, and none is begun for a place while that may be so. Knows no
workers and nothing of what is shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from lsp_server.session.suggestion_cache import CachedSuggestion, typed_since
from lsp_server.text.document import Edit, Refusal, Snapshot

log = logging.getLogger(__name__)

LINGER_S = 1.0  # how long a fill goes on that no request waits for

Outcome = list[Edit] | Refusal
Begin = Callable[[], Coroutine[Any, Any, Outcome]]


@dataclass(slots=True)
class _Fill:
    """One that has begun at a cursor, until a request has got its outcome."""

    snapshot: Snapshot
    cursor: int
    task: asyncio.Task[Outcome]
    waiting: int = 0  # requests

    def outcome_at(self, snapshot: Snapshot, cursor: int, outcome: Outcome) -> Outcome | None:
        """What the outcome comes to at a later place; None if what was typed since does not follow it."""
        if (self.snapshot.version, self.cursor) == (snapshot.version, cursor):
            return outcome
        if isinstance(outcome, Refusal):
            return None
        return (
            list(CachedSuggestion(self.snapshot, self.cursor, tuple(outcome)).rest(snapshot, cursor)) or None
        )


class UnderWay:
    """All methods belong to one event loop."""

    def __init__(self) -> None:
        self._fills: dict[str, _Fill] = {}  # by document URI
        self._asked: set[str] = set()  # documents in which what was last begun has been asked for

    async def outcome(self, snapshot: Snapshot, cursor: int, begin: Begin) -> Outcome:
        """What is found for a request at this place: by the fill under way if that leads there, otherwise by
        one that `begin` starts. Raises CancelledError if a fill elsewhere in the document ends it."""
        self._asked.add(snapshot.uri)
        if fill := self._leading_to(snapshot, cursor):
            outcome = fill.outcome_at(snapshot, cursor, await self._wait(fill))
            if outcome is not None:
                return outcome
        return await self._wait(self._begin(snapshot, cursor, begin))

    def begin_ahead(self, snapshot: Snapshot, cursor: int, begin: Begin) -> None:
        """Begin a fill for a place where a request is about to come, unless the one under way leads there.
        What is begun for nothing is the last, until there is a request again."""
        fill = self._leading_to(snapshot, cursor)
        if snapshot.uri in self._asked and (fill is None or fill.task.done()):
            self._asked.discard(snapshot.uri)
            self._linger(self._begin(snapshot, cursor, begin))

    def expects(self, uri: str) -> bool:
        """Whether a request is to be expected where something is typed."""
        return uri in self._asked

    def give_up(self, uri: str) -> None:
        self._asked.discard(uri)
        if fill := self._fills.pop(uri, None):
            fill.task.cancel()

    def give_up_all(self) -> None:
        for uri in list(self._fills):
            self.give_up(uri)

    def _leading_to(self, snapshot: Snapshot, cursor: int) -> _Fill | None:
        """The fill under way whose answer may hold at this place."""
        fill = self._fills.get(snapshot.uri)
        if fill and typed_since(fill.snapshot, fill.cursor, snapshot, cursor) is not None:
            return fill
        return None

    def _begin(self, snapshot: Snapshot, cursor: int, begin: Begin) -> _Fill:
        if older := self._fills.get(snapshot.uri):
            older.task.cancel()
        fill = self._fills[snapshot.uri] = _Fill(snapshot, cursor, asyncio.ensure_future(begin()))
        fill.task.add_done_callback(_log_fault)
        return fill

    async def _wait(self, fill: _Fill) -> Outcome:
        fill.waiting += 1
        try:
            outcome = await asyncio.shield(fill.task)
            self._forget(fill)
            return outcome
        finally:
            fill.waiting -= 1
            self._linger(fill)

    def _linger(self, fill: _Fill) -> None:
        if not fill.waiting and not fill.task.done():
            asyncio.get_running_loop().call_later(LINGER_S, self._end_unless_wanted, fill)

    def _end_unless_wanted(self, fill: _Fill) -> None:
        if not fill.waiting:
            fill.task.cancel()
            self._forget(fill)

    def _forget(self, fill: _Fill) -> None:
        if self._fills.get(fill.snapshot.uri) is fill:
            del self._fills[fill.snapshot.uri]


def _log_fault(task: asyncio.Task[Outcome]) -> None:
    """A fault reaches the requests that wait; this is for a fill that none waits for."""
    if not task.cancelled() and (fault := task.exception()):
        log.debug("a fill ended with %s", type(fault).__name__)
