"""Follows documents and files, and has the reader process look at what is new: what is known of them.

Reading happens beside the requests; nothing here waits for it but `cleaned`. Nothing becomes known but
through that process, which applies the exclusion rules and takes secrets out. Knows no LSP.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os.path
from collections import deque
from collections.abc import Callable, Sequence
from typing import NewType, Protocol

from lsp_server.config.file_filter import MAX_BYTES, Rules, by_name, path_of
from lsp_server.context.index_client import Reading
from lsp_server.context.index_process import Answer, Gone, Look, Scan, Scanned
from lsp_server.context.outline import Outline
from lsp_server.context.recent_edits import Recent, Touched
from lsp_server.context.symbol_index import Workspace
from lsp_server.infilling import canvas
from lsp_server.text.languages import canonical

RESCAN_S = 30.0  # between two scans of files that may have changed
SOON_S = 1.0  # between two scans when some have
CLEANED_S = 1.0  # how long a request waits for text of its own to be looked through
_FOLDERS = 8  # of open documents, the last used, whose files' text is kept

Cleaned = NewType("Cleaned", str)  # text that may be shown


class Text(Protocol):
    """A live document."""

    language: str

    @property
    def text(self) -> str: ...
    @property
    def line_count(self) -> int: ...


class Following:
    """All methods belong to one event loop; only `use`, `refresh` and `cleaned` need it to be running."""

    def __init__(self, documents: Callable[[str], Text | None]) -> None:
        self.rules = Rules()
        self.watched = False  # the client says when files change
        self._documents = documents
        self.workspace = Workspace()
        self.recent = Recent()
        self._reading = Reading(self._received, self._lost)
        self._open: dict[str, str] = {}  # key -> uri, the last used last
        self._dirty: dict[str, Touched] = {}  # documents to be looked at, by key
        self._looking: dict[str, deque[list[int]]] = {}  # for each look under way, the lines edited before
        self._patience = SOON_S  # how long after the last scan the next one is due
        self._scanned = -math.inf  # when that was, on the loop's clock
        self._covered: tuple[str, ...] = ()  # the folders whose text that scan was to bring
        self._cleaning: dict[str, asyncio.Future[str]] = {}
        self._numbers = itertools.count()

    def configure(self, rules: Rules) -> None:
        """Other rules: nothing that is known counts any more."""
        if rules == self.rules:
            return
        self.rules = rules
        self._patience, self._scanned = SOON_S, -math.inf
        self.workspace, self.recent = Workspace(), Recent()
        self._reading.stop()
        self._reading = Reading(self._received, self._lost)
        for key in self._open:
            self.workspace.opened(key)
            self._dirty[key] = Touched(new=True)
        self._looking.clear()

    def opened(self, uri: str) -> None:
        key = key_of(uri)
        self._open[key] = uri
        self.workspace.opened(key)
        self._dirty[key] = Touched(new=True)
        if os.path.dirname(key) not in self._covered:
            self.files_changed()
        if not self.watched:
            self._patience = min(self._patience, RESCAN_S)

    def edited(self, uri: str, line: int | None) -> None:
        """At a line, or who knows where."""
        touched = self._dirty.setdefault(key_of(uri), Touched(new=False))
        if line is not None:
            touched.edit(line)

    def closed(self, uri: str) -> None:
        key = key_of(uri)
        for known in (self._open, self._dirty, self._looking):
            known.pop(key, None)
        self.workspace.closed(key)
        self.files_changed()  # it may be one again

    def files_changed(self) -> None:
        self._patience = SOON_S

    def use(self, uri: str, line: int) -> str:
        """A request is made in a document, at a line; its key."""
        if (key := key_of(uri)) in self._open:
            self._open[key] = self._open.pop(key)
            self.workspace.used(key)
        self.refresh(key, line)
        return key

    def refresh(self, active: str = "", line: int = 0) -> None:
        """Have read what is not known yet, but for a document that is being edited, around `line`."""
        for key, touched in list(self._dirty.items()):
            if key != active or touched.beyond(line):
                del self._dirty[key]
                self._look(key, touched.lines)
        now = asyncio.get_running_loop().time()
        if self.rules.roots and now - self._scanned >= self._patience:
            self._patience, self._scanned, self._covered = math.inf, now, self._folders()
            self.workspace.keep_texts(self._covered)
            known, texts = self.workspace.known(), self.workspace.with_text(self._covered)
            self._reading.ask(Scan(self.rules, known, self._covered, texts))

    async def close(self) -> None:
        await self._reading.close()

    async def cleaned(self, texts: Sequence[str]) -> tuple[Cleaned, ...]:
        """Texts from elsewhere, a diagnostic's say, less the lines that hold secrets; fewer if there is no
        answer soon."""
        keys = [f"text:{next(self._numbers)}" for _ in texts]
        loop = asyncio.get_running_loop()
        waiting = [self._cleaning.setdefault(key, loop.create_future()) for key in keys]
        for key, text in zip(keys, texts, strict=True):
            self._reading.ask(Look(self.rules, key, "", "", canvas.normalize(text)))
        done, _ = await asyncio.wait(waiting, timeout=CLEANED_S) if waiting else ((), ())
        for key in keys:
            self._cleaning.pop(key, None)
        return tuple(Cleaned(each.result()) for each in waiting if each in done and each.result())

    def _look(self, key: str, lines: list[int]) -> None:
        document = self._documents(uri := self._open.get(key, ""))
        path = path_of(uri).partition("#")[0]  # which in a notebook's URI names a cell
        if (
            document is None
            or document.line_count > MAX_BYTES // 8
            or canonical([document.language]).isdisjoint(canonical(self.rules.languages))
            or by_name(path, self.rules.exclude)
        ):
            return
        if len(text := canvas.normalize(document.text)) <= MAX_BYTES:
            self._looking.setdefault(key, deque()).append(lines)
            path = path if os.path.isabs(path) else ""
            self._reading.ask(Look(self.rules, key, path, document.language, text))

    def _received(self, answer: Answer) -> None:
        match answer:
            case Outline():
                if waiting := self._cleaning.pop(answer.key, None):
                    if not waiting.done():
                        waiting.set_result(answer.text or "")
                elif self.workspace.take(answer) and (lines := self._looking.get(answer.key)):
                    self.recent.add(answer.key, answer.text or "", lines.popleft())
            case Gone():
                self.workspace.forget(answer.keys)
                for key in answer.keys:
                    self.recent.forget(key)
                    self._looking.pop(key, None)
                    if waiting := self._cleaning.pop(key, None):
                        waiting.set_result("")
            case Scanned():
                pass

    def _lost(self) -> None:
        """What was asked of a process that died is asked again."""
        self._dirty |= {key: Touched(new=True) for key in self._open}
        self._looking.clear()
        self.files_changed()

    def _folders(self) -> tuple[str, ...]:
        """Of the documents used last."""
        folders = dict.fromkeys(os.path.dirname(key) for key in reversed(self._open))
        return tuple(itertools.islice(folders, _FOLDERS))


def key_of(uri: str) -> str:
    """What a document or file is called here: its path, or the URI of what is no file."""
    return os.path.normpath(path_of(uri)) if uri.lower().startswith("file:") else uri
