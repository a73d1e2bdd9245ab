"""Tracks which documents and files are new or changed, has the reader process read them, and keeps what it
finds.

Reading happens beside the requests; only `cleaned` waits for it. All text comes through the reader process,
which applies the exclusion rules and takes secrets out. Knows no LSP.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os.path
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec.structs import replace

from lsp_server.config.file_filter import MAX_BYTES, Rules, by_name, path_of
from lsp_server.context.cleaning import Cleaner
from lsp_server.context.index_client import IndexClient
from lsp_server.context.index_process import Answer, Gone, Look, Scan, Scanned
from lsp_server.context.outline import Outline
from lsp_server.context.problems import Cleaned, Problems
from lsp_server.context.recent_edits import EditedLines, RecentEdits
from lsp_server.context.symbol_index import SymbolIndex
from lsp_server.infilling import canvas
from lsp_server.text.languages import canonical

RESCAN_S = 30.0  # at least, between two scans where files may have changed unnoticed
RESCAN_SHARE = 50  # and at least so many times as long as the last one took
SOON_S = 1.0  # between two scans, where files are known to have changed
_NAMED = 3  # most skipped things that a user is told the names of
_FOLDERS = 8  # most folders whose files' text is kept: those of the documents used last


class Library(Protocol):
    """Who keeps the texts of a workspace, to compose drafts from them."""

    def put(self, key: str, language: str, text: str) -> None: ...

    def drop(self, keys: Sequence[str]) -> None: ...

    def clear(self) -> None: ...


class Text(Protocol):
    """A live document."""

    language: str

    @property
    def text(self) -> str: ...
    @property
    def line_count(self) -> int: ...


class DocumentTracker:
    """All methods belong to one event loop; only `use`, `refresh` and `cleaned` need it to be running."""

    def __init__(self, documents: Callable[[str], Text | None], library: Library | None = None) -> None:
        self.rules = Rules()
        self._library = library
        self._told = False  # the library has been given texts, whether it was there or not
        self._untold: set[str] = set()  # files that are known here, but not to the library
        self.watched = False  # the client reports file changes, by `files_changed`
        self._documents = documents
        self.index = SymbolIndex()
        self.recent = RecentEdits()
        self.problems = Problems()
        self._reader = IndexClient(self._received, self._lost)
        self._open: dict[str, str] = {}  # key -> URI, the last used last
        self._dirty: dict[str, EditedLines] = {}  # documents that have to be read, by key
        self._looking: dict[str, deque[list[int]]] = {}  # key -> the edited lines of each read under way
        self._scan_wait = SOON_S  # seconds from the last scan to the next
        self._scanned = -math.inf  # when the last scan was, on the loop's clock
        self.scans = 0  # that have ended
        self._covered: tuple[str, ...] = ()  # the folders of which the scans wanted the files' text
        self._uncovered = False  # a document of another folder has been opened
        self._closed: set[str] = set()  # documents whose files count from now on
        self._cleaner = Cleaner(lambda look: self._reader.ask(look))
        self.skipped: tuple[str, ...] = ()  # what the last scan could not read or understand, a line for each
        self._told_of: set[str] = set()
        self.on_problem: Callable[[str], None] = lambda problem: None  # called once with each new one

    @property
    def fault(self) -> str:
        """Why nothing is read any more; empty while everything is well."""
        return self._reader.fault

    def configure(self, rules: Rules) -> None:
        """Forget everything if the rules have changed: it was read by the old ones."""
        if rules == self.rules:
            return
        self.rules = rules
        self._scan_wait, self._scanned = SOON_S, -math.inf
        self.index, self.recent, self.problems = SymbolIndex(), RecentEdits(), Problems()
        self._reader.stop()
        self._reader = IndexClient(self._received, self._lost)
        self._cleaner.stop()
        if self._library and self._told:
            self._library.clear()
        for key in self._open:
            self.index.opened(key)
            self._dirty[key] = EditedLines(new=True)
        for pending in (self._looking, self._untold, self._closed):
            pending.clear()

    def opened(self, uri: str) -> None:
        key = key_of(uri)
        self._open[key] = uri
        self.index.opened(key)
        self._dirty[key] = EditedLines(new=True)
        self._closed.discard(key)
        self._uncovered |= os.path.dirname(key) not in self._covered

    def edited(self, uri: str, replaced: tuple[int, int] | None, new: str) -> None:
        """The text from one line to another (counted from 0) was replaced, or all of it if that is None."""
        key = key_of(uri)
        edited = self._dirty.setdefault(key, EditedLines(new=False))
        if replaced is None:
            self.problems.forget(key)
            return
        edited.edit(replaced[0])
        self.problems.edited(key, *replaced, new.count("\n"))

    def closed(self, uri: str) -> None:
        key = key_of(uri)
        for known in (self._open, self._dirty, self._looking):
            known.pop(key, None)
        self.index.closed(key)
        self.problems.forget(key)
        self._closed.add(key)

    def files_changed(self) -> None:
        """Files on disk have changed, or may have."""
        self._scan_wait = SOON_S

    def library_is_ready(self) -> None:
        """The library is there from now on and knows nothing: what it was told before is read again for it.
        Until then what is known here is used."""
        if self._told:
            self._told = False
            self._dirty |= {key: EditedLines(new=True) for key in self._open}
            self._untold = set(self.index.known())
            self.files_changed()

    def use(self, uri: str, line: int) -> str:
        """A request is made in a document, at a line. Starts reading what is due; returns the document's
        key."""
        if (key := key_of(uri)) in self._open:
            self._open[key] = self._open.pop(key)
            self.index.used(key)
        self.refresh(key, line)
        return key

    def refresh(self, active: str = "", line: int = 0) -> None:
        """Start reading what has changed. The document `active` waits while it is only being edited around
        `line`: its text would be out of date at the next keystroke."""
        if self.fault:
            return
        for key, edited in list(self._dirty.items()):
            if key != active or edited.beyond(line):
                del self._dirty[key]
                self._look(key, edited.lines)
        due = asyncio.get_running_loop().time() - self._scanned >= self._scan_wait
        if self.rules.roots and (due or self._uncovered or self._closed):
            self._scan(everywhere=due)

    def _scan(self, *, everywhere: bool) -> None:
        """Have all files looked at, or only those that belong to documents that were opened or closed."""
        again = self._untold if everywhere else self._closed
        if everywhere:
            self._scan_wait, self._scanned = math.inf, asyncio.get_running_loop().time()
        if everywhere or self._uncovered:
            self._covered, self._uncovered = self._folders(), False
            self.index.keep_texts(self._covered)
        known, texts = self.index.known(), self.index.with_text(self._covered)
        self._reader.ask(Scan(self.rules, known, self._covered, texts, frozenset(again), everywhere))
        self._closed = set()

    async def close(self) -> None:
        await self._reader.close()

    async def cleaned(self, texts: Sequence[str]) -> tuple[Cleaned, ...]:
        """Each text from elsewhere, such as a diagnostic's, without the lines that hold secrets. Empty where
        nothing is left, and where there is no answer in time."""
        return (Cleaned(""),) * len(texts) if self.fault else await self._cleaner.cleaned(texts, self.rules)

    def _look(self, key: str, lines: list[int]) -> None:
        document = self._documents(uri := self._open.get(key, ""))
        path = path_of(uri).partition("#")[0]  # the fragment of a notebook's URI names a cell
        rules = self.rules.at(path)
        if (
            document is None
            or document.line_count > MAX_BYTES // 8
            or canonical([document.language]).isdisjoint(canonical(rules.languages))
            or by_name(path, rules.exclude)
        ):
            return
        if len(text := canvas.normalize(document.text)) <= MAX_BYTES:
            self._looking.setdefault(key, deque()).append(lines)
            path = path if os.path.isabs(path) else ""
            self._reader.ask(Look(self.rules, key, path, document.language, text))

    def _received(self, answer: Answer) -> None:
        match answer:
            case Outline():
                if self._cleaner.answered(answer.key, answer.text or ""):
                    return
                before = self.index.text(answer.key)
                if self._take(answer) and (lines := self._looking.get(answer.key)):
                    self.recent.add(answer.key, answer.text or "", lines.popleft(), before)
            case Gone():
                self.index.forget(answer.keys)
                self._untold.difference_update(answer.keys)
                if self._library and self._told:
                    self._library.drop(answer.keys)
                for key in answer.keys:
                    self.recent.forget(key)
                    self._looking.pop(key, None)
                    self._cleaner.answered(key, "")
            case Scanned():
                self.scans += 1
                self.skipped = answer.skipped
                if not self.watched:
                    took = asyncio.get_running_loop().time() - self._scanned
                    self._scan_wait = min(self._scan_wait, max(RESCAN_S, RESCAN_SHARE * took))
                if news := [line for line in self.skipped if line not in self._told_of]:
                    self._tell(f"skipped while other files were read: {_first(news)}", news)

    def _take(self, outline: Outline) -> bool:
        """Keep what was read, and pass its text on."""
        if not self.index.take(outline if outline.kept else replace(outline, text=None)):
            return False
        if self._library and outline.text:
            self._library.put(outline.key, outline.language, outline.text)
            self._told = True
            self._untold.discard(outline.key)
        return True

    def _lost(self) -> None:
        """The process has died: ask again for what it was asked, unless it is given up."""
        self._dirty |= {key: EditedLines(new=True) for key in self._open}
        self._looking.clear()
        self.files_changed()
        if not self.fault:
            self._cleaner.ask_again()
            return
        self._cleaner.stop()
        if self.fault not in self._told_of:
            self._tell(self.fault, [self.fault])

    def _tell(self, problem: str, news: Iterable[str]) -> None:
        self._told_of.update(news)
        self.on_problem(problem)

    def _folders(self) -> tuple[str, ...]:
        """The folders of the documents used last."""
        folders = dict.fromkeys(os.path.dirname(key) for key in reversed(self._open))
        return tuple(itertools.islice(folders, _FOLDERS))


def _first(lines: Sequence[str]) -> str:
    rest = len(lines) - _NAMED
    return "; ".join(lines[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")


def key_of(uri: str) -> str:
    """A document's or file's key: its path, or the URI where it is no file."""
    return os.path.normpath(path_of(uri)) if uri.lower().startswith("file:") else uri
