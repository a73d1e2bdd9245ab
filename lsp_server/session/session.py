"""The owner of an editor's mutable state: settings, worker, open documents and notebooks, and per document
the current request, the last suggestion and the names that were changed.

Everyone else gets frozen values from here. Knows no LSP types.
"""

from __future__ import annotations

import asyncio
import logging
import os.path
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lsp_server.actions.rename_followup import History, Rename
from lsp_server.actions.tracked_ranges import TrackedRanges
from lsp_server.config.file_filter import Rules, path_of
from lsp_server.config.settings import Settings, resolve, without_effect
from lsp_server.config.workspace_trust import without_untrusted
from lsp_server.context.document_tracker import DocumentTracker
from lsp_server.context.gather import Context
from lsp_server.session.latest_request import LatestRequests
from lsp_server.session.monitored_worker import MonitoredWorker
from lsp_server.session.suggestion_cache import CachedSuggestion
from lsp_server.session.switches import Switches
from lsp_server.text import positions
from lsp_server.text.buffer import Buffer, Position
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.notebook import Notebook
from lsp_server.text.positions import Encoding
from lsp_server.text.syntax import Parses
from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Choice

log = logging.getLogger(__name__)

OPTIONS = "initializationOptions"  # the only source of settings that the client itself has written

# A change of a document: the positions where it starts and ends (None: the whole document), and the new text.
Change = tuple[tuple[Position, Position] | None, str]

_Answer = TypeVar("_Answer")


def connect(settings: Settings) -> Worker:
    """A client for the worker these settings ask for; nothing starts before it is used."""
    return Worker(settings.choice, idle_minutes=settings.idle_unload_minutes)


class Session:
    """All methods belong to one event loop; only the asynchronous ones, `configure` and `warm_up` need it to
    be running."""

    def __init__(self, connect: Callable[[Settings], Worker] = connect) -> None:
        self._connect = connect
        self.settings = Settings()
        self.worker = MonitoredWorker(connect(self.settings))
        self.parses = Parses()
        self.encoding: Encoding = "utf-16"
        self.folders: tuple[Path, ...] = ()  # the workspace's
        self._trusted = False  # the client vouches for its settings
        self._layers: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, Buffer] = {}
        self._notebooks: dict[str, Notebook] = {}
        self._requests = LatestRequests()
        self.tracker = DocumentTracker(self._documents.get, library=self.worker)
        self.worker.on_connected = self.tracker.library_is_ready
        self.context = Context(self.tracker)
        self._suggestions: dict[str, CachedSuggestion] = {}
        self.tracked_ranges = TrackedRanges()
        self.switches = Switches()
        self._histories: dict[str, History] = {}
        self._background: set[asyncio.Task[None]] = set()

    def configure(self, source: str, raw: Any) -> list[str]:
        """Settings from one source; they outweigh those of sources that came earlier. Returns the problems
        found, each one line for a person."""
        if not isinstance(raw, dict):
            return resolve(raw)[1]
        if source == OPTIONS:
            self._trusted = raw.get("trusted") is True
            raw = {name: value for name, value in raw.items() if name != "trusted"}
        self._layers[source] = {name: value for name, value in raw.items() if value is not None}
        merged = {name: value for layer in self._layers.values() for name, value in layer.items()}
        old, (settings, problems) = self.settings, resolve(merged)
        self.settings, refused = without_untrusted(settings, self.folders, self._trusted)
        problems += [*refused, *without_effect(self.settings)]
        self._suggestions.clear()
        self.tracker.configure(self._rules())
        if _worker_part(old) != _worker_part(self.settings):
            self.in_background(self.worker.use(self._connect(self.settings)).close())
        return problems

    def use_folders(self, uris: Iterable[str]) -> None:
        """The workspace's folders: other files in them may be read, and no model in them is loaded unless the
        client vouches for its settings."""
        self.folders = tuple(Path(os.path.normpath(path_of(uri))) for uri in uris if uri.startswith("file:"))
        self.tracker.configure(self._rules())

    def _rules(self) -> Rules:
        return Rules(self.settings.exclude, self.settings.languages, tuple(map(str, self.folders)))

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that nobody waits for. Its task is kept here, or it might be garbage-collected."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def warm_up(self) -> None:
        """Have the model loaded and other files read, if a document that may be completed is open."""
        if any(self.refusal(document.snapshot(0)) is None for document in self._documents.values()):
            self.in_background(self.worker.prepare())
            self.tracker.refresh()

    def open(self, uri: str, version: int, language: str, text: str) -> None:
        self._documents[uri] = Buffer(uri, version, language, text)
        self.tracker.opened(uri)

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
            self.tracker.edited(uri, replaced[0][0] if replaced else None)
            self.tracked_ranges.edited(uri, replaced, new, self.encoding)
        self._histories[uri] = history
        document.version = version
        self.displace(uri)

    def close(self, uri: str) -> None:
        for kept in (self._documents, self._suggestions, self._histories):
            kept.pop(uri, None)
        self.switches.forget(uri)
        self.tracker.closed(uri)
        self.tracked_ranges.forget(uri)
        self.parses.forget(uri)
        self.displace(uri)

    def open_notebook(self, uri: str, cells: Sequence[str]) -> None:
        self._notebooks[uri] = Notebook(uri, tuple(cells))

    def splice_notebook(self, uri: str, start: int, deleted: int, added: Sequence[str]) -> None:
        if notebook := self._notebooks.get(uri):
            self._notebooks[uri] = notebook.splice(start, deleted, added)

    def close_notebook(self, uri: str) -> None:
        self._notebooks.pop(uri, None)
        self.switches.forget(uri)

    def snapshot(self, uri: str, line: int) -> Snapshot | None:
        """The document as it is now around a line, a notebook's cell with the other cells around it. None if
        it is not open."""
        if (document := self._documents.get(uri)) is None:
            return None
        snapshot = document.snapshot(line)
        for notebook in self._notebooks.values():
            snapshot = notebook.around(snapshot, self._documents)
        return snapshot

    def refusal(self, snapshot: Snapshot) -> Refusal | None:
        """Why this document is not to be completed."""
        return self.settings.refusal(replace(snapshot, uri=self.file_of(snapshot.uri)))

    def silence(self, snapshot: Snapshot) -> Refusal | None:
        """Why nothing is to be suggested in this document unasked."""
        if refusal := self.refusal(snapshot):
            return refusal
        if not self.settings.enable:
            return Refusal("off", "infill-ls is off: infill.enable is false")
        return self.switches.refusal(self.file_of(snapshot.uri))

    def file_of(self, uri: str) -> str:
        """A document's own URI, or its notebook's: that of a cell need not name the file."""
        return next((each.uri for each in self._notebooks.values() if uri in each.cells), uri)

    def place(self, uri: str, line: int, character: int) -> tuple[Snapshot, int | None] | None:
        """The document around a position, and the position's offset in that text. The offset is None where
        the document has no such position; the result is None if the document is not open."""
        if (snapshot := self.snapshot(uri, line)) is None:
            return None
        if not 0 <= line < self._documents[uri].line_count:
            return snapshot, None
        at = positions.to_offset(snapshot.text, line - snapshot.first_line, character, self.encoding)
        return snapshot, at

    def whole(self, uri: str) -> Snapshot | None:
        """All of a document's text, without its notebook. None if it is not open."""
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

    def remember_suggestion(self, suggestion: CachedSuggestion) -> None:
        self._suggestions[suggestion.snapshot.uri] = suggestion

    def forget_suggestion(self, uri: str) -> None:
        self._suggestions.pop(uri, None)

    def rest_of_suggestion(self, snapshot: Snapshot, cursor: int | None) -> tuple[Edit, ...]:
        """What is left at a cursor of the last suggestion, while the user types just that."""
        suggestion = self._suggestions.get(snapshot.uri)
        return suggestion.rest(snapshot, cursor) if suggestion and cursor is not None else ()

    async def run_latest(
        self, snapshot: Snapshot, work: Coroutine[Any, Any, _Answer | Refusal]
    ) -> _Answer | Refusal:
        """Do the work as the document's current request. It is refused as `superseded` when a newer request,
        a change of the document or its end comes first."""
        answer = await self._requests.run(snapshot.uri, work)
        if not isinstance(answer, Refusal) and not self.is_current(snapshot):
            return Refusal("superseded", "the document has changed since the request")
        return answer

    def displace(self, uri: str) -> None:
        """End the document's current request, if it has one; it is answered `superseded`."""
        self._requests.displace(uri)

    async def shut_down(self) -> None:
        """Disconnect from the worker, which lives on, and end the reader process."""
        self.worker.stop_reporting()
        self._requests.displace_all()
        await self.tracker.close()
        await self.worker.close()


def _worker_part(settings: Settings) -> tuple[Choice, float]:
    return settings.choice, settings.idle_unload_minutes
