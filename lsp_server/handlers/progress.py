"""Work-done progress of one action, which the client's cancel button ends.

Nothing here is awaited: with pygls, a handler that may be cancelled cannot await a request to the client. So
the work starts at once, and its progress is shown from when the client has accepted the token.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lsprotocol import types
from pygls.progress import Progress as Tokens


class Progress:
    """`token` is the client's. Without one the client is asked to accept ours, if it shows progress."""

    def __init__(
        self,
        tokens: Tokens,
        title: str,
        token: types.ProgressToken | None,
        request: Callable[[str, Any], Future[Any]] | None,
    ) -> None:
        """`request` sends a request to the client; None if the client shows no progress that we begin."""
        self._tokens, self._title = tokens, title
        self._token = token if token is not None else str(uuid.uuid4())
        self._begun = self._ended = False
        self._task: asyncio.Task[Any] | None = None
        self._latest: tuple[str, int | None] | None = None
        if token is not None:
            self._begin()
        elif request:
            params = types.WorkDoneProgressCreateParams(self._token)
            request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params).add_done_callback(self._created)

    def report(self, message: str, percentage: int | None) -> None:
        """Show this, or keep it until the progress has begun."""
        self._latest = message, percentage
        if self._begun and not self._ended:
            self._tokens.report(
                self._token,
                types.WorkDoneProgressReport(cancellable=True, message=message, percentage=percentage),
            )

    def cancels(self, task: asyncio.Task[Any]) -> None:
        """Have the client's cancel button cancel the task."""
        self._task = task
        self._listen()

    def end(self) -> None:
        if self._begun and not self._ended:
            self._tokens.end(self._token, types.WorkDoneProgressEnd())
        self._ended = True
        self._tokens.tokens.pop(self._token, None)

    def _created(self, answer: Future[Any]) -> None:
        if not self._ended and not answer.cancelled() and not answer.exception():
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        begin = types.WorkDoneProgressBegin(f"infill: {self._title}", cancellable=True, percentage=0)
        self._tokens.begin(self._token, begin)
        if self._latest:
            self.report(*self._latest)
        self._listen()

    def _listen(self) -> None:
        button, task = self._tokens.tokens.get(self._token), self._task
        if self._begun and button and task:
            button.add_done_callback(lambda future: task.cancel() if future.cancelled() else None)
