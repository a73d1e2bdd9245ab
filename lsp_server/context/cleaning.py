"""Texts from elsewhere, such as a diagnostic's message, without the lines that hold secrets.

The reader process looks through them; here is who waits for which answer. Knows no documents.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

from lsp_server.config.file_filter import Rules
from lsp_server.context.index_process import Look
from lsp_server.context.problems import Cleaned
from lsp_server.infilling import canvas

CLEANED_S = 10.0  # how long is waited for an answer: the process may have to be started first
MOST = 64  # texts that are remembered: clients repeat themselves


class Cleaner:
    """`ask` sends the reader process a request. All methods belong to one event loop."""

    def __init__(self, ask: Callable[[Look], None]) -> None:
        self._ask = ask
        self._numbers = itertools.count()
        self._waiting: dict[str, tuple[Look, asyncio.Future[str]]] = {}  # by the request's key
        self._known: dict[str, Cleaned] = {}  # by the text

    async def cleaned(self, texts: Sequence[str], rules: Rules) -> tuple[Cleaned, ...]:
        """Each text without its secrets. Empty where nothing is left, and where there is no answer within
        CLEANED_S."""
        loop, waiting = asyncio.get_running_loop(), dict[str, asyncio.Future[str]]()
        for text in {*texts} - self._known.keys() - {""}:
            look = Look(rules, f"text:{next(self._numbers)}", "", "", canvas.normalize(text))
            waiting[text] = loop.create_future()
            self._waiting[look.key] = look, waiting[text]
            self._ask(look)
        if waiting:
            await asyncio.wait(waiting.values(), timeout=CLEANED_S)
        for text, each in waiting.items():
            if each.done() and not each.cancelled():
                self._known[text] = Cleaned(each.result())
        found = tuple(self._known.get(text, Cleaned("")) for text in texts)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return found

    def answered(self, key: str, text: str) -> bool:
        """The reader process has answered a request, if it was one of these."""
        if asked := self._waiting.pop(key, None):
            asked[1].set_result(text)
        return asked is not None

    def ask_again(self) -> None:
        """The process that was asked has died, and there will be another."""
        for look, _ in self._waiting.values():
            self._ask(look)

    def stop(self) -> None:
        """There will be no more answers to what was asked so far, and what is known no longer holds."""
        for _, each in self._waiting.values():
            each.cancel()
        self._waiting.clear()
        self._known.clear()
