"""What other text the model may see: chosen from what the reader process has found fit to be seen.

Nothing gets into a request's context but through that process, which applies the exclusion rules and
takes secrets out. Choosing takes less than a millisecond: reading happens beside it, and a request is
given what is known by then. Knows no LSP.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os.path
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NewType, Protocol

from lsp_server import canvas, similar
from lsp_server.document import Snapshot
from lsp_server.exclude import MAX_BYTES, Rules, by_name, path_of
from lsp_server.languages import by_id, canonical
from lsp_server.outline import Outline
from lsp_server.reader import Answer, Gone, Look, Scan, Scanned
from lsp_server.reading import Reading
from lsp_server.recent import Recent, Touched
from lsp_server.syntax import Syntax
from lsp_server.workspace import Workspace

# Most characters of each source, in the order in which a request has them: most relevant last.
BUDGETS = {
    "recent": 2_000,  # regions of other documents that were edited last
    "imports": 1_500,  # the document's own, where a long file's prefix begins below them
    "signatures": 1_500,  # of what the code around the hole calls
    "diagnostics": 500,  # what is wrong at the hole, if the request is about that
    "similar": 5_000,  # places in other files that go on after the same text
}
RESCAN_S = 30.0  # between two scans of files that may have changed
SOON_S = 1.0  # between two scans when some have
CLEANED_S = 1.0  # how long a request waits for text of its own to be looked through
SCOPE = 4_000  # bytes of the code around the hole whose calls count
TEXTS = 400_000  # characters that are searched for similar places at each request: half a millisecond
_CALLED = re.compile(r"(\w+)\s*\(")
_FOLDERS = 8  # of open documents, the last used, whose files' text is kept

Cleaned = NewType("Cleaned", str)  # text that may be shown


class Text(Protocol):
    """A live document."""

    language: str

    @property
    def text(self) -> str: ...
    def __len__(self) -> int:
        """Its lines."""
        ...


class Context:
    """Follows the open documents. All methods belong to one event loop; only `gather` and `refresh`
    need it to be running."""

    def __init__(self, documents: Callable[[str], Text | None]) -> None:
        self.rules = Rules()
        self.watched = False  # the client says when files change
        self._documents = documents
        self._workspace = Workspace()
        self._recent = Recent()
        self._reading = Reading(self._received)
        self._open: dict[str, str] = {}  # key -> uri, the last used last
        self._dirty: dict[str, Touched] = {}  # documents to be looked at, by key
        self._looking: dict[str, deque[list[int]]] = {}  # for each look under way, the lines edited before
        self._patience = SOON_S  # how long after the last scan the next one is due
        self._scanned = -math.inf  # when that was, on the loop's clock
        self._covered: tuple[str, ...] = ()  # the folders whose text that scan was to bring
        self._cleaning: dict[str, asyncio.Future[str]] = {}
        self._numbers = itertools.count()
        self._last: tuple[object, list[str]] = ((), [])

    # What happens to documents and files

    def configure(self, rules: Rules) -> None:
        """Other rules: nothing that is known counts any more."""
        if rules == self.rules:
            return
        self.rules = rules
        self._patience, self._scanned = SOON_S, -math.inf
        self._workspace, self._recent = Workspace(), Recent()
        self._reading.stop()
        self._reading = Reading(self._received)
        for key in self._open:
            self._workspace.opened(key)
            self._dirty[key] = Touched(new=True)
        self._looking.clear()

    def opened(self, uri: str) -> None:
        key = _key(uri)
        self._open[key] = uri
        self._workspace.opened(key)
        self._dirty[key] = Touched(new=True)
        if os.path.dirname(key) not in self._covered:
            self.files_changed()
        if not self.watched:
            self._patience = min(self._patience, RESCAN_S)

    def edited(self, uri: str, line: int | None) -> None:
        """At a line, or who knows where."""
        touched = self._dirty.setdefault(_key(uri), Touched(new=False))
        if line is not None:
            touched.edit(line)

    def closed(self, uri: str) -> None:
        key = _key(uri)
        for known in (self._open, self._dirty, self._looking):
            known.pop(key, None)
        self._workspace.closed(key)
        self.files_changed()  # it may be one again

    def files_changed(self) -> None:
        self._patience = SOON_S

    def refresh(self, active: str = "", line: int = 0) -> None:
        """Have read what is not known yet, but for a document that is being edited, around `line`."""
        for key, touched in list(self._dirty.items()):
            if key != active or touched.beyond(line):
                del self._dirty[key]
                self._look(key, touched.lines)
        now = asyncio.get_running_loop().time()
        if self.rules.roots and now - self._scanned >= self._patience:
            self._patience, self._scanned, self._covered = math.inf, now, self._folders()
            self._workspace.keep_texts(self._covered)
            known, texts = self._workspace.known(), self._workspace.with_text(self._covered)
            self._reading.ask(Scan(self.rules, known, self._covered, texts))

    async def close(self) -> None:
        await self._reading.close()

    # What a request is given

    def gather(
        self, snapshot: Snapshot, offset: int, syntax: Syntax | None, diagnostics: Sequence[Cleaned] = ()
    ) -> tuple[str, ...]:
        """Other text for a hole at `offset`, most relevant last, each with a line that says whence."""
        key = _key(snapshot.uri)
        if key in self._open:
            self._open[key] = self._open.pop(key)
            self._workspace.used(key)
        line = snapshot.first_line + snapshot.text.count("\n", 0, offset)
        self.refresh(key, line)
        known = by_id(snapshot.language)
        language, mark = (known.id, known.comment) if known else (snapshot.language, "#")

        def said(pieces: Iterable[tuple[str, str]], source: str) -> list[str]:
            room, kept = BUDGETS[source], []
            for whence, text in reversed(list(pieces)):  # where room is short, the best count
                piece = f"{mark} {self._name(whence)}\n{text}\n"
                if (room := room - len(piece)) >= 0:
                    kept.append(piece)
            return kept[::-1]

        head = canvas.normalize(snapshot.text[max(0, offset - similar.REACH) : offset])
        called = tuple(_CALLED.findall(head.rpartition("\n")[2]))
        place = (key, line, called, self._workspace.generation, language)
        if self._last[0] != place:  # while a line is typed, this stays
            recent = self._recent.pieces(without=key)
            cut = snapshot.first_line or offset > canvas.Budget().prefix_chars
            imports = [(key, self._workspace.imports(key))] if cut else []
            names = [*called, *(syntax.calls(offset, SCOPE) if syntax else ())]
            signatures = self._signatures(snapshot, names, language, key)
            self._last = (
                place,
                [
                    *said(recent, "recent"),
                    *said((each for each in imports if each[1]), "imports"),
                    *said(signatures, "signatures"),
                ],
            )
        texts, room = [], TEXTS
        for whence, text in self._workspace.texts(language, key):
            if (room := room - len(text)) >= 0:
                texts.append((whence, text))
        found = similar.pieces(head, [text for _, text in texts])
        alike = ((texts[which][0], piece) for which, piece in found)
        wrong = ((key, each) for each in diagnostics)
        return (*self._last[1], *said(wrong, "diagnostics"), *said(alike, "similar"))

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

    def _signatures(
        self, snapshot: Snapshot, names: Sequence[str], language: str, key: str
    ) -> list[tuple[str, str]]:
        """Signatures of these names, the first name's last; what is in sight anyway left out."""
        return [
            (whence, text)
            for name in reversed(dict.fromkeys(names))
            for whence, text in self._workspace.signatures(name, language, key)[-2:]
            if whence != key or text[:40] not in snapshot.text
        ]

    # The reader process

    def _look(self, key: str, lines: list[int]) -> None:
        document = self._documents(uri := self._open.get(key, ""))
        path = path_of(uri).partition("#")[0]  # which in a notebook's URI names a cell
        if (
            document is None
            or len(document) > MAX_BYTES // 8
            or canonical([document.language]).isdisjoint(canonical(self.rules.languages))
            or by_name(path, self.rules.exclude)
        ):
            return
        self._looking.setdefault(key, deque()).append(lines)
        text = canvas.normalize(document.text)
        path = path if os.path.isabs(path) else ""
        self._reading.ask(Look(self.rules, key, path, document.language, text))

    def _received(self, answer: Answer) -> None:
        match answer:
            case Outline():
                if waiting := self._cleaning.pop(answer.key, None):
                    if not waiting.done():
                        waiting.set_result(answer.text or "")
                elif self._workspace.take(answer) and (lines := self._looking.get(answer.key)):
                    self._recent.add(answer.key, answer.text or "", lines.popleft())
            case Gone():
                self._workspace.forget(answer.keys)
                for key in answer.keys:
                    self._recent.forget(key)
                    self._looking.pop(key, None)
                    if waiting := self._cleaning.pop(key, None):
                        waiting.cancel()
            case Scanned():
                pass

    def _folders(self) -> tuple[str, ...]:
        """Of the documents used last."""
        folders = dict.fromkeys(os.path.dirname(key) for key in reversed(self._open))
        return tuple(itertools.islice(folders, _FOLDERS))

    def _name(self, key: str) -> str:
        """A path as people of the project name it."""
        root = next((root for root in self.rules.roots if key.startswith(root + os.sep)), "")
        return key[len(root) :].lstrip(os.sep) if root else os.path.basename(key)


def _key(uri: str) -> str:
    return os.path.normpath(path_of(uri)) if uri.lower().startswith("file:") else uri
