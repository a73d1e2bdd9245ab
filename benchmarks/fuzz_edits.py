"""Edit histories, a target of benchmarks/fuzz.py: what is typed, undone, redone and replaced as a whole
between a request and its answer.

A real session is driven, with a worker whose answers come when and as the random generator says. After each
step the session's text has to be the client's; what is offered has to be for the document as it is, and to
change nothing but the hole; a doubtful word that is still marked has to stand where the mark is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.fuzz_inputs import Failed
from benchmarks.odd_answers import TEXTS as ANSWERS
from benchmarks.odd_edits import Document
from benchmarks.serve import ImmediateWorker
from lsp_server.actions.tracked_ranges import TrackedRange
from lsp_server.next_edit import rules
from lsp_server.session import completion
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Refusal, Snapshot
from model_runtime.protocol import Alternative, Done, Infill, Refused, Slot

URI = "file:///fuzz/a.py"
STEPS = 60  # of one history
TICKS = 4  # of the event loop, after each step
_ANSWERS = [
    *ANSWERS,
    *("found", "items)", "sum(items)", "found\n    return", "a\r\nb", "pass\n", "x = 1", "else:"),
]
_SETTINGS = {"languages": ["python", "typescript", "markdown", "klingon"], "confidenceThreshold": 0.3}


class Edits:
    """Tries one history."""

    def __call__(self, rng: random.Random) -> int:
        return asyncio.run(_History(rng).run())


@dataclass
class _Asked:
    snapshot: Snapshot
    cursor: int | None
    task: asyncio.Task[list[Edit] | Refusal]


class _History:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.worker = _Worker(rng)
        self.session = Session(lambda settings: self.worker)  # type: ignore[arg-type, return-value]
        self.session.encoding = rng.choice(["utf-8", "utf-16", "utf-32"])
        self.document = Document(rng, self.session.encoding)
        self.asked: list[_Asked] = []

    async def run(self) -> int:
        self.session.configure("fuzz", _SETTINGS)
        self.session.tracker._reader.fault = "other files are another target"
        self._open()
        for _ in range(STEPS):
            self.rng.choices(
                [self._change, self._ask, self.worker.answer, self._cancel, self._mark, self._reopen],
                [12, 8, 10, 1, 1, 1],
            )[0]()
            for _ in range(TICKS):
                await asyncio.sleep(0)
            self._check()
        for each in self.asked:
            each.task.cancel()
        await self.session.shut_down()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:  # fills go on for a second after their requests
            task.cancel()
        await asyncio.gather(*left, *(each.task for each in self.asked), return_exceptions=True)
        return STEPS

    def _open(self) -> None:
        language = self.rng.choice(["python", "python", "typescript", "markdown", "klingon"])
        self.session.open(URI, self.document.version, language, self.document.text)

    def _reopen(self) -> None:
        self.session.close(URI)
        self._open()

    def _change(self) -> None:
        changes = self.document.changes()
        self.session.change(URI, self.document.version, changes)
        for place, text in changes if len(changes) == 1 else ():  # as `handlers/document_sync` does
            if place and text:
                completion.typed(self.session, URI, *place[0], text)

    def _ask(self) -> None:
        place = self.session.place(URI, *self.document.cursor())
        if place is None:
            raise Failed("the document is lost")
        snapshot, cursor = place
        if cursor is not None and self.rng.random() < 0.2:
            self._ask_for_next_edit(snapshot, cursor)
        work = completion.complete(self.session, snapshot, cursor, invoked=self.rng.random() < 0.3)
        self.asked.append(_Asked(snapshot, cursor, asyncio.ensure_future(work)))

    def _ask_for_next_edit(self, snapshot: Snapshot, cursor: int) -> None:
        found = rules.suggest(snapshot, cursor, self.session.next_edits.history, self.session.parses)
        for edit in () if isinstance(found, Refusal) else found:
            if not 0 <= edit.span.start <= edit.span.end <= len(snapshot.text):
                raise Failed(f"a next edit of {edit.span} in a text of {len(snapshot.text)}")

    def _cancel(self) -> None:
        if self.asked:
            self.rng.choice(self.asked).task.cancel()

    def _mark(self) -> None:
        """As proofreading marks a word that it doubts."""
        text = self.document.text
        start = self.rng.randrange(len(text) + 1)
        word = text[start : start + self.rng.randrange(1, 9)]
        if word and not set(word) & set("\r\n"):
            start, end = self.document.place(start), self.document.place(start + len(word))
            self.session.tracked_ranges.put(URI, [TrackedRange(start, end, word, "")], start, end)

    def _check(self) -> None:
        document = self.document
        buffer = self.session.whole(URI)
        if buffer is None or buffer.text != document.text or buffer.version != document.version:
            raise Failed("the session's text is not the client's")
        for each in self.session.tracked_ranges.of(URI):
            found = document.text[document.offset(each.start) : document.offset(each.end)]
            if found != each.written:
                raise Failed("a mark is not where its word is")
        done = [each for each in self.asked if each.task.done()]
        self.asked = [each for each in self.asked if not each.task.done()]
        for each in done:
            if not each.task.cancelled() and isinstance(edits := each.task.result(), list):
                self._check_edits(each, edits)

    def _check_edits(self, asked: _Asked, edits: list[Edit]) -> None:
        if asked.cursor is None or not edits:
            raise Failed("edits for a place that is not there, or none")
        if not self.session.is_current(asked.snapshot):
            raise Failed("an edit for a text that has changed")
        for edit in edits:
            check_edit(edit, asked.snapshot, asked.cursor)


def check_edit(edit: Edit, snapshot: Snapshot, cursor: int) -> None:
    """An edit that was made for a cursor stays around it: from its line's beginning to its line's end."""
    text = snapshot.text
    start = max(text.rfind("\n", 0, cursor), text.rfind("\r", 0, cursor)) + 1
    ends = [end for mark in "\r\n" if (end := text.find(mark, cursor)) >= 0]
    if not start <= edit.span.start <= cursor <= edit.span.end <= min([len(text), *ends]):
        raise Failed("an edit outside its hole")
    if edit.version != snapshot.version:
        raise Failed("an edit of another version")
    edit.text.encode()


class _Worker(ImmediateWorker):
    """Answers when it is told to, with texts that no model should write."""

    on_connected: Callable[[], None] | None = None

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._waiting: list[tuple[Infill, asyncio.Future[Done | Refused]]] = []

    async def fill(self, request: Infill, on_draft: Any = None) -> Done | Refused:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        return await future

    def answer(self) -> None:
        """To one request, not always the oldest."""
        if not self._waiting:
            return
        request, future = self._waiting.pop(self._rng.choice([0, -1]))
        if not future.done():
            future.set_result(self._made(request))

    def _made(self, request: Infill) -> Done | Refused:
        if self._rng.random() < 0.1:
            return Refused(
                request.id, self._rng.choice(["superseded", "failed", "deadline", "worker-lost"]), ""
            )
        slots = sum(isinstance(piece, Slot) for piece in request.canvas)

        def texts() -> tuple[str, ...]:
            return tuple(self._rng.choice(_ANSWERS) for _ in range(slots))

        others = tuple(Alternative(texts(), self._rng.random()) for _ in range(self._rng.randrange(3)))
        return Done(request.id, texts(), self._rng.random(), 1, 0, 0, 0, alternatives=others)
