"""The server's mutable state, all of it: settings, the worker client, open documents and, per document,
the request being worked on. Everyone else gets frozen values from here. Knows no LSP types.
"""

from __future__ import annotations

import asyncio
import logging
import os.path
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from lsp_server.buffer import Buffer, Position
from lsp_server.context import Context
from lsp_server.document import Edit, Refusal, Snapshot
from lsp_server.exclude import Rules, path_of
from lsp_server.following import Following
from lsp_server.positions import Encoding
from lsp_server.settings import Settings, resolve
from lsp_server.syntax import Parses
from lsp_server.worker import Worker

log = logging.getLogger(__name__)

# One change of a document: the positions it starts and ends at, None for all of the document; the new text.
Change = tuple[tuple[Position, Position] | None, str]


def connect(settings: Settings) -> Worker:
    """A client for the worker these settings ask for; nothing starts before it is used."""
    return Worker(model=settings.model, device=settings.device, idle_minutes=settings.idle_unload_minutes)


class Session:
    def __init__(self, connect: Callable[[Settings], Worker] = connect) -> None:
        self._connect = connect
        self.settings = Settings()
        self.worker = connect(self.settings)
        self.parses = Parses()
        self.encoding: Encoding = "utf-16"
        self._folders: tuple[str, ...] = ()
        self._layers: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, Buffer] = {}
        self.following = Following(self._documents.get)
        self.context = Context(self.following)
        self._newest: dict[str, asyncio.Task[Edit | Refusal]] = {}
        self._background: set[asyncio.Task[None]] = set()

    def configure(self, source: str, raw: Any) -> list[str]:
        """Take `raw` as what `source` says, over what earlier sources say; the problems found."""
        if not isinstance(raw, dict):
            return resolve(raw)[1]
        self._layers[source] = {name: value for name, value in raw.items() if value is not None}
        merged = {name: value for layer in self._layers.values() for name, value in layer.items()}
        old, (self.settings, problems) = self.settings, resolve(merged)
        self.following.configure(self._rules())
        if _worker_part(old) != _worker_part(self.settings):
            displaced, self.worker = self.worker, self._connect(self.settings)
            self.in_background(displaced.close())
        return problems

    def use_folders(self, uris: Iterable[str]) -> None:
        """The workspace's folders, of which other files may be read."""
        self._folders = tuple(os.path.normpath(path_of(uri)) for uri in uris if uri.startswith("file:"))
        self.following.configure(self._rules())

    def _rules(self) -> Rules:
        return Rules(self.settings.exclude, self.settings.languages, self._folders)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that nobody waits for; its task is kept from being collected."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def warm_up(self) -> None:
        """Have the model loaded, if a document that it may complete is open."""
        if any(self.settings.refusal(document.snapshot(0)) is None for document in self._documents.values()):
            self.in_background(self.worker.prepare())
            self.following.refresh()

    def open(self, uri: str, version: int, language: str, text: str) -> None:
        self._documents[uri] = Buffer(uri, version, language, text)
        self.following.opened(uri)

    def change(self, uri: str, version: int, changes: Iterable[Change]) -> None:
        """Changes to a document that is not open are dropped: there is no text to apply them to."""
        if (document := self._documents.get(uri)) is None:
            log.warning("ignored a change to %s, which is not open", uri)
            return
        for replaced, new in changes:
            if replaced:
                document.replace(*replaced, new, self.encoding)
            else:
                document.replace_all(new)
            self.following.edited(uri, replaced[0][0] if replaced else None)
        document.version = version
        self._drop_request(uri)

    def close(self, uri: str) -> None:
        self._documents.pop(uri, None)
        self.following.closed(uri)
        self.parses.forget(uri)
        self._drop_request(uri)

    def snapshot(self, uri: str, line: int) -> Snapshot | None:
        """The document as it is now around a line; None if it is not open."""
        document = self._documents.get(uri)
        return document.snapshot(line) if document else None

    async def newest(self, uri: str, work: Coroutine[Any, Any, Edit | Refusal]) -> Edit | Refusal:
        """Do the work as the document's one current request. A newer request, a change or the document's
        end displaces it: it is answered `superseded` at once, also to clients that do not cancel."""
        self._drop_request(uri)
        task = self._newest[uri] = asyncio.ensure_future(work)
        try:
            answer = await task
        except asyncio.CancelledError:
            if (awaiting := asyncio.current_task()) and awaiting.cancelling():
                raise  # the client cancelled this request itself
            return Refusal("superseded", "the document has changed or a newer request has arrived")
        finally:
            if self._newest.get(uri) is task:
                del self._newest[uri]
        now = self._documents.get(uri)
        if isinstance(answer, Edit) and (now is None or now.version != answer.version):
            return Refusal("superseded", "the document has changed since the request")
        return answer

    async def shut_down(self) -> None:
        for uri in list(self._newest):
            self._drop_request(uri)
        await self.following.close()
        await self.worker.close()

    def _drop_request(self, uri: str) -> None:
        if task := self._newest.pop(uri, None):
            task.cancel()


def _worker_part(settings: Settings) -> tuple[str, str, float]:
    return settings.model, settings.device, settings.idle_unload_minutes
