"""Several servers of the same model: which one gets the next request, and what happens when it fails.

A request goes to the server with the fewest of our requests outstanding, among equals to the first listed. If
it fails and the request is not to blame, the request goes on to another server. A server that failed rests,
longer after each failure in a row, and is then tried out beside the others.

Knows no protocol: what to ask is a callable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from model_runtime.remote.faults import Fault

TRIES = 3  # of one request, over all servers
PAUSE_S = 0.2  # before the same server is tried again
REST_S = (0.0, 1.0, 4.0, 15.0, 30.0)  # after the first, second, ... failure in a row
LONGEST_REST_S = 60.0  # whatever a server asks for
BAD_REQUEST = (400, 413, 422)  # statuses that blame the request, not the server

_Known = TypeVar("_Known")
_Answer = TypeVar("_Answer")


@dataclass(eq=False)
class Server(Generic[_Known]):
    """Times are seconds on the clock of `Servers`."""

    url: str
    known: _Known | None = None  # what the first contact found out; None: no contact yet
    outstanding: int = 0  # requests of ours that it is working on
    failures: int = 0  # in a row
    failed_at: float = 0.0
    not_before: float = 0.0  # it rests until then
    fault: Fault | None = None  # of the last try

    def failed(self, fault: Fault, began: float, now: float) -> None:
        """A try that began at `began` has failed. Tries that ran side by side count as one failure."""
        if fault.status in BAD_REQUEST:
            return
        if began >= self.failed_at:
            self.failures += 1
        rest = REST_S[min(self.failures, len(REST_S)) - 1] if fault.again else REST_S[-1]
        self.fault, self.failed_at = fault, now
        self.not_before = now + min(max(rest, fault.after_s), LONGEST_REST_S)

    def worked(self) -> None:
        self.failures, self.not_before, self.fault = 0, 0.0, None

    @property
    def state(self) -> str:
        """In a few words, for a person."""
        if self.fault:
            return str(self.fault)
        return "not asked yet" if self.known is None else f"ok, {self.outstanding} running"


class Servers(Generic[_Known]):
    """Belongs to one event loop; only `states` may be called from any thread."""

    def __init__(
        self,
        urls: Sequence[str],
        meet: Callable[[str], Awaitable[_Known]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`meet` is the first contact: before a server's first request it finds out what `ask` has to know of
        it, or raises a Fault where it is not the right one."""
        self._servers = [Server[_Known](url) for url in urls]
        self._meet = meet
        self._clock = clock
        self._reviving: dict[Server[_Known], asyncio.Future[Any]] = {}

    def states(self) -> dict[str, str]:
        return {server.url: server.state for server in sorted(self._servers, key=lambda each: each.url)}

    async def meet_all(self) -> None:
        """First contact with all of them. Raises the first one's Fault if none can be used."""
        found = await asyncio.gather(*map(self._try_out, self._servers))
        if all(found) and found[0]:
            raise found[0]

    async def ask(self, use: Callable[[str, _Known], Awaitable[_Answer]]) -> _Answer:
        """The answer of one of them. Raises the Fault of the first that was tried."""
        tried: list[Server[_Known]] = []
        first: Fault | None = None
        while True:
            try:
                server = self._next(tried)
            except Fault as fault:
                raise first or fault from None
            if server in tried:
                await asyncio.sleep(PAUSE_S)
            tried.append(server)
            try:
                return await self._tried(server, use)
            except Fault as fault:
                first = first or fault
                more = self._others(tried) or (fault.again and not fault.after_s)
                if fault.status in BAD_REQUEST or not more or len(tried) == TRIES:
                    raise first from None

    async def _tried(
        self, server: Server[_Known], use: Callable[[str, _Known], Awaitable[_Answer]]
    ) -> _Answer:
        began = self._clock()
        server.outstanding += 1
        try:
            if server.known is None:
                server.known = await self._meet(server.url)
            answer = await use(server.url, server.known)
        except Fault as fault:
            server.failed(fault, began, self._clock())
            raise
        finally:
            server.outstanding -= 1
        server.worked()
        return answer

    async def _try_out(self, server: Server[_Known]) -> Fault | None:
        """First contact, also where there was one before: the server may have been restarted."""
        server.known = None
        try:
            await self._tried(server, lambda url, known: asyncio.sleep(0))
        except Fault as fault:
            return fault
        return None

    def _next(self, tried: Sequence[Server[Any]]) -> Server[_Known]:
        """One that works, else one that has rested. Raises a Fault where all of them rest."""
        rested = [server for server in self._servers if server.not_before <= self._clock()]
        if not rested:
            by_use = sorted(self._servers, key=lambda server: (server.known is None, server.not_before))
            assert by_use[0].fault is not None
            raise by_use[0].fault
        working = [server for server in rested if not server.fault]
        if working:
            self._revive(server for server in rested if server.fault)
        fresh = [server for server in working or rested if server not in tried]
        return min(fresh or rested, key=lambda server: server.outstanding)

    def _revive(self, ailing: Iterable[Server[_Known]]) -> None:
        """Try out failed servers beside the requests, so that no request of the user's is spent on them."""
        for server in ailing:
            if server not in self._reviving:
                task = asyncio.ensure_future(self._try_out(server))
                self._reviving[server] = task
                task.add_done_callback(lambda _, server=server: self._reviving.pop(server, None))

    def _others(self, tried: Sequence[Server[Any]]) -> bool:
        now = self._clock()
        return any(server not in tried and server.not_before <= now for server in self._servers)
