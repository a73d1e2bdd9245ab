"""The server's mutable state, all of it: settings, the worker client and what it is doing, open documents
and notebooks and, per document, the request being worked on, what was offered last, and which names were
changed. Everyone else gets frozen values from here. Knows no LSP types.
"""

from __future__ import annotations

import asyncio
import logging
import os.path
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lsp_server.actions.rename_followup import History, Rename
from lsp_server.actions.tracked_ranges import Marks
from lsp_server.config.file_filter import Rules, path_of
from lsp_server.config.settings import Settings, resolve, without_effect
from lsp_server.config.workspace_trust import consented
from lsp_server.context.document_tracker import Following
from lsp_server.context.gather import Context
from lsp_server.session.debounce import Pace
from lsp_server.session.suggestion_cache import Offer
from lsp_server.session.worker_status import Activity
from lsp_server.text import positions
from lsp_server.text.buffer import Buffer, Position
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.notebook import Notebook
from lsp_server.text.positions import Encoding
from lsp_server.text.syntax import Parses
from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Choice, Done, Draft, Infill, Refused

log = logging.getLogger(__name__)

OPTIONS = "initializationOptions"  # of all sources of settings the one in which a client speaks for itself

# One change of a document: the positions it starts and ends at, None for all of the document; the new text.
Change = tuple[tuple[Position, Position] | None, str]

POLL_S = 0.5  # how often a worker that loads its model is asked how far it is
_Answer = TypeVar("_Answer")


def connect(settings: Settings) -> Worker:
    """A client for the worker these settings ask for; nothing starts before it is used."""
    return Worker(settings.choice, idle_minutes=settings.idle_unload_minutes)


class Session:
    def __init__(self, connect: Callable[[Settings], Worker] = connect) -> None:
        self._connect = connect
        self.settings = Settings()
        self.worker = connect(self.settings)
        self.parses = Parses()
        self.encoding: Encoding = "utf-16"
        self.folders: tuple[Path, ...] = ()  # the workspace's
        self._trusted = False  # the client vouches for its settings
        self._layers: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, Buffer] = {}
        self._notebooks: dict[str, Notebook] = {}
        self._newest: dict[str, asyncio.Task[Any]] = {}
        self.following = Following(self._documents.get)
        self.context = Context(self.following)
        self._offers: dict[str, Offer] = {}
        self.marks = Marks()
        self._histories: dict[str, History] = {}
        self._pace = Pace()
        self._background: set[asyncio.Task[None]] = set()
        self._polling: asyncio.Task[None] | None = None
        self.activity = Activity()
        self.on_activity: Callable[[Activity], None] | None = None  # called when it has changed

    def configure(self, source: str, raw: Any) -> list[str]:
        """Take `raw` as what `source` says, over what earlier sources say; the problems found."""
        if not isinstance(raw, dict):
            return resolve(raw)[1]
        if source == OPTIONS:
            self._trusted = raw.get("trusted") is True
            raw = {name: value for name, value in raw.items() if name != "trusted"}
        self._layers[source] = {name: value for name, value in raw.items() if value is not None}
        merged = {name: value for layer in self._layers.values() for name, value in layer.items()}
        old, (settings, problems) = self.settings, resolve(merged)
        self.settings, refused = consented(settings, self.folders, self._trusted)
        problems += [*refused, *without_effect(self.settings)]
        self._offers.clear()
        self.following.configure(self._rules())
        if _worker_part(old) != _worker_part(self.settings):
            displaced, self.worker = self.worker, self._connect(self.settings)
            self.in_background(displaced.close())
        return problems

    def use_folders(self, uris: Iterable[str]) -> None:
        """The workspace's folders: other files of theirs may be read, and no model of theirs is loaded."""
        self.folders = tuple(Path(os.path.normpath(path_of(uri))) for uri in uris if uri.startswith("file:"))
        self.following.configure(self._rules())

    def _rules(self) -> Rules:
        return Rules(self.settings.exclude, self.settings.languages, tuple(map(str, self.folders)))

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that nobody waits for; its task is kept from being collected."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def warm_up(self) -> None:
        """Have the model loaded, if a document that it may complete is open."""
        if any(self.refusal(document.snapshot(0)) is None for document in self._documents.values()):
            self.in_background(self.prepare())
            self.following.refresh()

    async def prepare(self) -> None:
        await self.worker.prepare()
        self._poll()

    async def restart_worker(self) -> None:
        if await self.worker.stop():
            self._act(replace(self.activity, state="stopped", message="the worker is being restarted"))
        await self.prepare()

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        """The worker's answer; what it takes is measured here."""
        began, answer = time.perf_counter(), None
        self._act(self.activity.began())
        try:
            answer = await self.worker.fill(request, on_draft)
            return answer
        finally:
            ms = (time.perf_counter() - began) * 1000
            if isinstance(answer, Done):
                self._pace = self._pace.answered(ms)
            self._act(self.activity.ended(answer, ms))
            if self.activity.state == "loading":
                self._poll()

    async def pause(self) -> None:
        """Let an automatic request wait for the next one, which would displace it."""
        self._pace, wait_ms = self._pace.asked(time.perf_counter() * 1000)
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)

    def open(self, uri: str, version: int, language: str, text: str) -> None:
        self._documents[uri] = Buffer(uri, version, language, text)
        self.following.opened(uri)

    def change(self, uri: str, version: int, changes: Iterable[Change]) -> None:
        """Changes to a document that is not open are dropped: there is no text to apply them to."""
        if (document := self._documents.get(uri)) is None:
            log.warning("ignored a change to %s, which is not open", uri)
            return
        history = self._histories.get(uri, History())
        for replaced, new in changes:
            if replaced:
                start, end = sorted(replaced)
                history = history.change(start, end, new, document.line)
                document.replace(*replaced, new, self.encoding)
            else:
                history = History()
                document.replace_all(new)
            self.following.edited(uri, replaced[0][0] if replaced else None)
            self.marks.edited(uri, replaced, new, self.encoding)
        self._histories[uri] = history
        document.version = version
        self.displace(uri)

    def close(self, uri: str) -> None:
        for kept in (self._documents, self._offers, self._histories):
            kept.pop(uri, None)
        self.following.closed(uri)
        self.marks.forget(uri)
        self.parses.forget(uri)
        self.displace(uri)

    def open_notebook(self, uri: str, cells: Sequence[str]) -> None:
        self._notebooks[uri] = Notebook(uri, tuple(cells))

    def splice_notebook(self, uri: str, start: int, deleted: int, added: Sequence[str]) -> None:
        if notebook := self._notebooks.get(uri):
            self._notebooks[uri] = notebook.splice(start, deleted, added)

    def close_notebook(self, uri: str) -> None:
        self._notebooks.pop(uri, None)

    def snapshot(self, uri: str, line: int) -> Snapshot | None:
        """The document as it is now around a line, a notebook's cell among the others; None if it is not
        open."""
        if (document := self._documents.get(uri)) is None:
            return None
        snapshot = document.snapshot(line)
        for notebook in self._notebooks.values():
            snapshot = notebook.around(snapshot, self._documents)
        return snapshot

    def refusal(self, snapshot: Snapshot) -> Refusal | None:
        """Why this document is not to be completed. A cell's own URI need not name the notebook's file."""
        of = next((each.uri for each in self._notebooks.values() if snapshot.uri in each.cells), snapshot.uri)
        return self.settings.refusal(replace(snapshot, uri=of))

    def place(self, uri: str, line: int, character: int) -> tuple[Snapshot, int | None] | None:
        """The document around a position, and the position's offset in it; None instead of the offset for
        a position that the document does not have, and instead of all if it is not open."""
        if (snapshot := self.snapshot(uri, line)) is None:
            return None
        if not 0 <= line < self._documents[uri].line_count:
            return snapshot, None
        at = positions.to_offset(snapshot.text, line - snapshot.first_line, character, self.encoding)
        return snapshot, at

    def whole(self, uri: str) -> Snapshot | None:
        """All of a document, without its notebook: for what is done once and may take a while."""
        if (document := self._documents.get(uri)) is None:
            return None
        return Snapshot(uri, document.version, document.language, document.text)

    def line_count(self, uri: str) -> int:
        return self._documents[uri].line_count if uri in self._documents else 0

    def is_current(self, snapshot: Snapshot) -> bool:
        now = self._documents.get(snapshot.uri)
        return now is not None and now.version == snapshot.version

    def renames(self, uri: str) -> tuple[Rename, ...]:
        """The names that were changed lately, the newest last."""
        document, history = self._documents.get(uri), self._histories.get(uri)
        return history.renames(document.line) if document and history else ()

    def remember(self, offer: Offer) -> None:
        self._offers[offer.snapshot.uri] = offer

    def forget_offer(self, uri: str) -> None:
        self._offers.pop(uri, None)

    def rest_of_offer(self, snapshot: Snapshot, cursor: int | None) -> tuple[Edit, ...]:
        """What is left at a cursor of what was offered last, while the user types just that."""
        offer = self._offers.get(snapshot.uri)
        return offer.rest(snapshot, cursor) if offer and cursor is not None else ()

    async def newest(
        self, snapshot: Snapshot, work: Coroutine[Any, Any, _Answer | Refusal]
    ) -> _Answer | Refusal:
        """Do the work as the document's one current request. A newer request, a change or the document's
        end displaces it: it is answered `superseded` at once, also to clients that do not cancel."""
        uri = snapshot.uri
        self.displace(uri)
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
        if not isinstance(answer, Refusal) and not self.is_current(snapshot):
            return Refusal("superseded", "the document has changed since the request")
        return answer

    def displace(self, uri: str) -> None:
        """Answer the document's current request `superseded`, if it has one."""
        if task := self._newest.pop(uri, None):
            task.cancel()

    async def shut_down(self) -> None:
        self.on_activity = None
        if self._polling:
            self._polling.cancel()
        for uri in list(self._newest):
            self.displace(uri)
        await self.following.close()
        await self.worker.close()

    def _act(self, activity: Activity) -> None:
        before, self.activity = self.activity, activity
        if replace(before, running=activity.running) != activity and self.on_activity:
            self.on_activity(activity)

    def _poll(self) -> None:
        """Ask the worker how it is until its model is loaded, if there is someone to tell."""
        if self.on_activity and (self._polling is None or self._polling.done()):
            self._polling = asyncio.ensure_future(self._follow_loading())

    async def _follow_loading(self) -> None:
        while self.on_activity:
            self._act(self.activity.told(await self.worker.status()))
            if self.activity.state != "loading":
                return
            await asyncio.sleep(POLL_S)


def _worker_part(settings: Settings) -> tuple[Choice, float]:
    return settings.choice, settings.idle_unload_minutes
