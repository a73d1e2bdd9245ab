"""What a model that rewrites regions is asked."""

from __future__ import annotations

import pytest

from lsp_server.next_edit import region_request
from model_runtime.protocol import Fixed, Slot
from tests.lsp_server.next_edit.test_region import INSTRUCT, TEXT, Worker, ask, edited
from tests.support.typist import Typing


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


@pytest.mark.parametrize("line", [0, 5, 59])
async def test_at_the_ends_of_a_file(line: int) -> None:
    it = Typing(TEXT)
    it.retype(line, 0, f"line_{line}", f"row_{line}")
    worker = Worker()
    await ask(it, worker, line=line)
    first, last = max(0, line - 10), min(59, line + 10)
    assert worker.asked[0].original == "\n".join(it.document.line(n) for n in range(first, last + 1))


async def test_an_edit_with_a_secret_is_not_told() -> None:
    it, worker = edited(), Worker()
    it.retype(40, 10, "40", "'secret'")
    await ask(it, worker, line=30)
    told = worker.asked[0].next_edit
    assert told
    assert [each.after for each in told.edits] == ["row_30 = 30"]


async def test_a_secret_that_was_taken_out_is_not_told() -> None:
    """Not as the edit, and not as what was there before it; without another edit nothing is asked."""
    text, worker = TEXT.replace("line_31 = 31", "line_31 = 'secret'"), Worker()
    for others in ([], [33]):
        it = Typing(text)
        for line in others:
            it.retype(line, 0, f"line_{line}", f"row_{line}")
        it.retype(31, 10, "'secret'", "read()")
        _, reason = await ask(it, worker)
        assert reason == ("empty" if others else "no-next-edit")
    (request,) = worker.asked
    assert "read()" in request.original
    assert "secret" not in str(request)
    assert request.next_edit
    assert [each.after for each in request.next_edit.edits] == ["row_33 = 33"]


async def test_a_model_that_follows_instructions_gets_one() -> None:
    worker = Worker()
    await ask(edited(), worker, INSTRUCT)
    (request,) = worker.asked
    assert request.next_edit is None
    assert "a.py:31\n- line_30 = 30\n+ row_30 = 30\n" in request.instruction


async def test_there_is_room_for_long_lines() -> None:
    """A region whose answer is cut off would be lost."""
    it, worker = Typing("".join(f"line_{n} = '{'x' * 200}'\n" for n in range(30))), Worker()
    it.retype(15, 0, "line_15", "row_15")
    await ask(it, worker, line=15)
    (request,) = worker.asked
    assert isinstance(hole := request.canvas[0], Slot)
    assert hole.max_tokens == len(request.original) // 2 > region_request.TOKENS
