"""The owner of an editor's mutable state: settings, worker, open documents and notebooks, and per document
the current request and the last suggestion; and what was edited lately.

Everyone else gets frozen values from here. Knows no LSP types.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from lsp_server.actions.actions import Diagnostic
from lsp_server.actions.fix import ByRegion
from lsp_server.actions.tracked_ranges import TrackedRanges
from lsp_server.config.settings import Settings
from lsp_server.context.document_tracker import DocumentTracker, key_of
from lsp_server.context.gather import Context
from lsp_server.infilling.pipeline import Filler
from lsp_server.next_edit import region
from lsp_server.next_edit.history import EditHistory, scattered
from lsp_server.session.latest_request import LatestRequests
from lsp_server.session.layered_settings import LayeredSettings
from lsp_server.session.monitored_worker import MonitoredWorker
from lsp_server.session.next_edits import NextEdits
from lsp_server.session.suggestion_cache import CachedSuggestion
from lsp_server.session.switches import Switches
from lsp_server.session.tally import Tally
from lsp_server.session.under_way import UnderWay
from lsp_server.text import positions
from lsp_server.text.buffer import Buffer, Position
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.notebook import Notebook
from lsp_server.text.positions import Encoding
from lsp_server.text.syntax import Parses, Syntax
from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Choice

log = logging.getLogger(__name__)

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
        self._settings = LayeredSettings()
        self.worker = MonitoredWorker(connect(self.settings))
        self.parses = Parses()
        self.encoding: Encoding = "utf-16"
        self._documents: dict[str, Buffer] = {}
        self._notebooks: dict[str, Notebook] = {}
        self._requests = LatestRequests()
        self.tracker = DocumentTracker(self._documents.get, library=self.worker)
        self.worker.on_connected = self.tracker.library_is_ready
        self.context = Context(self.tracker)
        self._suggestions: dict[str, CachedSuggestion] = {}
        self.under_way = UnderWay()
        self._tally = Tally()
        self.tracked_ranges = TrackedRanges()
        self.switches = Switches()
        self.next_edits = NextEdits()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def settings(self) -> Settings:
        """What holds where no folder of the workspace has settings of its own."""
        return self._settings.general

    def settings_for(self, uri: str) -> Settings:
        """The settings that hold for a document. For a notebook's cell the notebook's URI counts: its own
        need not name the file."""
        return self._settings.at(self.file_of(uri))

    def configure(self, source: str, raw: Any, of_folders: Mapping[str, Any] | None = None) -> list[str]:
        """Settings from one source, see `LayeredSettings.say`. Returns the problems found, each one line for
        a person."""
        self._settings.say(source, raw, of_folders or {})
        return self._resolve_settings()

    def use_folders(self, uris: Iterable[str]) -> list[str]:
        """The workspace's folders: other files in them may be read, and no model in them is loaded unless the
        client vouches for its settings. Returns the problems of the settings, which this may change."""
        self._settings.use_folders(uris)
        return self._resolve_settings()

    def _resolve_settings(self) -> list[str]:
        old, problems = self.settings, self._settings.resolve()
        self._suggestions.clear()
        self.under_way.give_up_all()
        self.tracker.configure(self._settings.rules())
        if _worker_part(old) != _worker_part(self.settings):
            self.in_background(self.worker.use(self._connect(self.settings)).close())
        return problems

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
        changes, now = list(changes), time.monotonic()
        typed = not scattered([replaced[0][0] for replaced, _ in changes if replaced])
        if self.refusal(Snapshot(uri, version, document.language, "")):
            typed = False  # what is excluded is an example for nothing
        for replaced, new in changes:
            if replaced:
                start, end = sorted(document.place(*each, self.encoding) for each in replaced)
                if typed:
                    self.next_edits.history.change(uri, start, end, new, document.line, now)
                else:
                    self.next_edits.history.move(uri, start[0], end[0], positions.line_ends(new) + 1)
                lines = document.line_count + positions.line_ends(new) - (end[0] - start[0])
                document.replace(*replaced, new, self.encoding)
                if document.line_count != lines:  # a \r and a \n have become one line end, or have parted
                    self.tracked_ranges.forget(uri)
                    self.next_edits.history.forget(uri)
            else:
                if typed:
                    self.next_edits.history.replace_all(uri, document.text, new, now)
                document.replace_all(new)
            lines = sorted(line for line, _ in replaced) if replaced else None
            self.tracker.edited(uri, (lines[0], lines[1]) if lines else None, new)
            self.tracked_ranges.edited(uri, replaced, new, self.encoding)
        document.version = version
        self.displace(uri)

    def close(self, uri: str) -> None:
        for kept in (self._documents, self._suggestions):
            kept.pop(uri, None)
        self.next_edits.history.forget(uri)
        self.switches.forget(uri)
        self.tracker.closed(uri)
        self.tracked_ranges.forget(uri)
        self.parses.forget(uri)
        self._tally.forget(uri)
        self.under_way.give_up(uri)
        self.displace(uri)

    def open_notebook(self, uri: str, cells: Sequence[str]) -> None:
        self._notebooks[uri] = Notebook(uri, tuple(cells))

    def splice_notebook(self, uri: str, start: int, deleted: int, added: Sequence[str]) -> None:
        if notebook := self._notebooks.get(uri):
            self._notebooks[uri] = notebook.splice(start, deleted, added)

    def close_notebook(self, uri: str) -> None:
        self._notebooks.pop(uri, None)
        self.switches.forget(uri)

    def snapshot(self, uri: str, line: int, last: int | None = None) -> Snapshot | None:
        """The document as it is now around a line, or around all lines up to `last`; a notebook's cell with
        the other cells around it. None if it is not open."""
        if (document := self._documents.get(uri)) is None:
            return None
        snapshot = document.snapshot(line, last)
        for notebook in self._notebooks.values():
            snapshot = notebook.around(snapshot, self._documents)
        return snapshot

    def refusal(self, snapshot: Snapshot) -> Refusal | None:
        """Why this document is not to be completed."""
        return self.settings_for(snapshot.uri).refusal(replace(snapshot, uri=self.file_of(snapshot.uri)))

    def silence(self, snapshot: Snapshot) -> Refusal | None:
        """Why nothing is to be suggested in this document unasked."""
        if refusal := self.refusal(snapshot):
            return refusal
        if not self.settings_for(snapshot.uri).enable:
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

    async def suggest_next_edits(
        self, snapshot: Snapshot, cursor: int, problems: Sequence[Diagnostic] = ()
    ) -> tuple[Edit, ...] | Refusal:
        """Where the text should change next. `problems`: what is wrong in it, as far as the client says.
        Refused as `superseded` where the document has changed meanwhile."""
        settings, clean = self.settings_for(snapshot.uri), self.tracker.cleaned

        def rewritten(history: EditHistory) -> Awaitable[tuple[Edit, ...] | Refusal]:
            return region.suggest(snapshot, cursor, history, self.worker, settings, clean, problems)

        lane = rewritten if settings.rewrites_regions else None
        found = await self.next_edits.suggest(snapshot, cursor, self.parses, lane)
        if not self.is_current(snapshot):
            return Refusal("superseded", "the document has changed since the request")
        return found

    def by_region(self, snapshot: Snapshot, at: int) -> ByRegion | None:
        """What rewrites the lines around a problem, where a model is set that can."""
        history, clean = self.next_edits.history, self.tracker.cleaned
        if not region.can_fix(self.settings_for(snapshot.uri), history):
            return None

        def fixed(
            worker: Filler, settings: Settings, message: str, context: tuple[str, ...]
        ) -> Awaitable[Edit | Refusal]:
            return region.fix(snapshot, at, message, history, worker, settings, clean, context)

        return fixed

    def remember_suggestion(self, suggestion: CachedSuggestion) -> None:
        self._suggestions[suggestion.snapshot.uri] = suggestion

    def expects(self, uri: str) -> bool:
        """Whether the editor is likely to ask for what follows a change of the document."""
        return self.under_way.expects(uri)

    def count_shown(self, uri: str) -> bool:
        """Count the document's last suggestion as shown. False if it has been already."""
        new = uri in self._suggestions and self._tally.shown(self._suggestions[uri])
        if new:
            self.worker.feedback(shown=1)
        return new

    def is_shown(self, uri: str) -> bool:
        """Whether the document's last suggestion has been counted as shown."""
        return uri in self._suggestions and self._tally.is_shown(self._suggestions[uri])

    def count_taken(self, snapshot: Snapshot, cursor: int) -> None:
        """The text before the cursor came at once: count the suggestion as accepted if it says just that."""
        suggestion = self._suggestions.get(snapshot.uri)
        if suggestion and suggestion.taken(snapshot, cursor) and self._tally.accepted(snapshot.uri):
            self.worker.feedback(accepted=1)

    def accepted(self, uri: str, version: int | None = None) -> None:
        """The suggestion made for the document at this version has been inserted: it is counted, and not
        offered again."""
        if self._tally.accepted(uri):
            self.worker.feedback(accepted=1)
        suggestion = self._suggestions.get(uri)
        if suggestion and (version is None or suggestion.snapshot.version <= version):
            del self._suggestions[uri]

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

    def gather(self, snapshot: Snapshot, offset: int, syntax: Syntax | None) -> tuple[str, ...]:
        """The text of other documents, and what else is known of this one, for a hole at an offset."""
        return self.context.gather(snapshot, offset, syntax, read=self.settings.reads_context)

    def note_problems(
        self, snapshot: Snapshot, lines: tuple[int, int], found: Sequence[tuple[int, str]]
    ) -> None:
        """What is wrong between two lines of a document, as (line, message), for models that read it."""
        if self.settings.reads_context:
            self.in_background(self._note_problems(snapshot, lines, found))

    async def _note_problems(
        self, snapshot: Snapshot, lines: tuple[int, int], found: Sequence[tuple[int, str]]
    ) -> None:
        messages = await self.tracker.cleaned([message for _, message in found])
        if self.is_current(snapshot):
            known = zip((line for line, _ in found), messages, strict=True)
            self.tracker.problems.put(key_of(snapshot.uri), *lines, known)

    def displace(self, uri: str) -> None:
        """End the document's current request, if it has one; it is answered `superseded`."""
        self._requests.displace(uri)

    async def shut_down(self) -> None:
        """Disconnect from the worker, which lives on, and end the reader process."""
        self.worker.stop_reporting()
        self._requests.displace_all()
        self.under_way.give_up_all()
        await self.tracker.close()
        await self.worker.close()


def _worker_part(settings: Settings) -> tuple[Choice, float]:
    return settings.choice, settings.idle_unload_minutes
