"""One request at a time for each document: a newer request displaces the one that is running.

Knows no documents, versions or workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from lsp_server.text.document import Refusal

_Answer = TypeVar("_Answer")


class LatestRequests:
    """All methods belong to one event loop; only `run` needs it to be running."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}  # by document URI

    async def run(self, uri: str, work: Coroutine[Any, Any, _Answer | Refusal]) -> _Answer | Refusal:
        """The work's answer, or the refusal `superseded` at once when it is displaced: some clients never
        cancel. Raises CancelledError if the caller itself is cancelled."""
        self.displace(uri)
        task = self._tasks[uri] = asyncio.ensure_future(work)
        try:
            return await task
        except asyncio.CancelledError:
            if (caller := asyncio.current_task()) and caller.cancelling():
                raise  # the client cancelled this request itself
            return Refusal("superseded", "the document has changed or a newer request has arrived")
        finally:
            if self._tasks.get(uri) is task:
                del self._tasks[uri]

    def displace(self, uri: str) -> None:
        """End the document's request, if one is running."""
        if task := self._tasks.pop(uri, None):
            task.cancel()

    def displace_all(self) -> None:
        for uri in list(self._tasks):
            self.displace(uri)
