"""The lane that has a region rewritten, with a worker that answers what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lsp_server.config.settings import Settings
from lsp_server.next_edit import region
from lsp_server.text.document import Refusal
from model_runtime.protocol import Done, Fixed, Infill, Refused
from tests.support.typist import Typing

SWEEP = Settings(backend="openai", next_edit_format="sweep")
TEXT = "".join(f"line_{n} = {n}\n" for n in range(60))


class Worker:
    def __init__(self, answer: str | Refused = "") -> None:
        self.answer, self.asked = answer, list[Infill]()

    async def fill(self, request: Infill, on_draft: Any = None) -> Done | Refused:
        self.asked.append(request)
        if isinstance(self.answer, Refused):
            return self.answer
        return Done(1, (self.answer,), 0.5, 1, 0.0, 0.0, 0.0)


async def clean(texts: Sequence[str]) -> Sequence[str]:
    return ["" if "secret" in text else text for text in texts]


def edited() -> Typing:
    it = Typing(TEXT)
    it.retype(30, 0, "line_30", "row_30")
    return it


async def ask(
    it: Typing, worker: Worker, settings: Settings = SWEEP, line: int = 30
) -> tuple[list[tuple[int, str, str]], str]:
    """Line, old and new text of each edit; and the reason where there is none."""
    snapshot = it.document.snapshot(line)
    cursor = sum(map(len, snapshot.text.splitlines(keepends=True)[:line]))
    found = await region.suggest(snapshot, cursor, it.history, worker, settings, clean)
    if isinstance(found, Refusal):
        return [], found.reason
    text = snapshot.text
    return [
        (text.count("\n", 0, each.span.start), text[each.span.start : each.span.end], each.text)
        for each in found
    ], ""


async def test_the_model_is_shown_the_region_and_the_edits() -> None:
    it, worker = edited(), Worker()
    await ask(it, worker)
    (request,) = worker.asked
    lines = request.original.split("\n")
    assert (lines[0], lines[10], lines[-1], len(lines)) == ("line_20 = 20", "row_30 = 30", "line_40 = 40", 21)
    assert request.prefix.endswith("line_19 = 19\n")
    assert isinstance(after := request.canvas[1], Fixed)
    assert after.text.startswith("\nline_41 = 41\n")
    told = request.next_edit
    assert told
    assert (told.format, told.path, told.line) == ("sweep", "a.py", 21)
    assert request.original[told.cursor :].startswith("row_30")
    assert told.earlier == request.original.replace("row_30", "line_30")
    assert [(each.line, each.before, each.after) for each in told.edits] == [
        (31, "line_30 = 30", "row_30 = 30")
    ]


async def test_what_it_changes_becomes_edits_place_by_place() -> None:
    it, worker = edited(), Worker()
    await ask(it, worker)
    renamed = worker.asked[0].original.replace("line_32", "row_32")
    worker.answer = renamed.replace("line_25 = 25", "line_25 = 26")
    assert await ask(it, worker) == ([(32, "line", "row"), (25, "5", "6")], "")


@pytest.mark.parametrize("line", [0, 5, 59])
async def test_at_the_ends_of_a_file(line: int) -> None:
    it = Typing(TEXT)
    it.retype(line, 0, f"line_{line}", f"row_{line}")
    worker = Worker()
    await ask(it, worker, line=line)
    first, last = max(0, line - 10), min(59, line + 10)
    assert worker.asked[0].original == "\n".join(it.document.line(n) for n in range(first, last + 1))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("", "", "same"),
        ("row_30", "line_30", "undoes"),
        ("line_35 = 35\n", "", "deletes"),
        ("line_35 = 35", "line_35 = (35", "parse"),
    ],
)
async def test_filters_hold_for_it_too(old: str, new: str, reason: str) -> None:
    it, worker = edited(), Worker()
    await ask(it, worker)
    worker.answer = worker.asked[0].original.replace(old, new, 1)
    assert await ask(it, worker) == ([], reason)


async def test_an_edit_with_a_secret_is_not_told() -> None:
    it, worker = edited(), Worker()
    it.retype(40, 10, "40", "'secret'")
    await ask(it, worker, line=30)
    told = worker.asked[0].next_edit
    assert told
    assert [each.after for each in told.edits] == ["row_30 = 30"]


async def test_a_model_that_follows_instructions_gets_one() -> None:
    worker = Worker()
    await ask(edited(), worker, Settings(next_edit_format="instruct"))
    (request,) = worker.asked
    assert request.next_edit is None
    assert "a.py:31\n- line_30 = 30\n+ row_30 = 30\n" in request.instruction


async def test_it_asks_nobody_without_edits_or_without_a_server() -> None:
    worker = Worker(Refused(1, "failed", "gone"))
    assert await ask(Typing(TEXT), worker) == ([], "no-next-edit")
    assert await ask(edited(), worker, Settings(next_edit_format="sweep")) == ([], "format")
    assert worker.asked == []
    assert await ask(edited(), worker) == ([], "failed")
