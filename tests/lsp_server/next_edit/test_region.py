"""What becomes of a region that was rewritten, with a worker that answers what it is told. What it is asked:
`test_region_request`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest

from lsp_server.actions.actions import Diagnostic
from lsp_server.config.settings import Settings
from lsp_server.next_edit import region
from lsp_server.next_edit.history import EditHistory
from lsp_server.text.document import Refusal, Snapshot, Span
from model_runtime.protocol import Done, Infill, Refused
from tests.support.typist import Typing

SWEEP = Settings(backend="openai", next_edit_format="sweep")
INSTRUCT = Settings(model="org/chat", next_edit_format="instruct")
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
    it: Typing,
    worker: Worker,
    settings: Settings = SWEEP,
    line: int = 30,
    problems: Sequence[tuple[int, str]] = (),
) -> tuple[list[tuple[int, str, str]], str]:
    """Line, old and new text of each edit; and the reason where there is none. `problems`: lines and
    messages."""
    snapshot = it.document.snapshot(line)
    starts = [0, *accumulate(map(len, snapshot.text.splitlines(keepends=True)))]
    known = [Diagnostic(Span(starts[at], starts[at] + 1), message) for at, message in problems]
    found = await region.suggest(snapshot, starts[line], it.history, worker, settings, clean, known)
    if isinstance(found, Refusal):
        return [], found.reason
    text = snapshot.text
    return [
        (text.count("\n", 0, each.span.start), text[each.span.start : each.span.end], each.text)
        for each in found
    ], ""


async def test_what_it_changes_becomes_edits_place_by_place() -> None:
    it, worker = edited(), Worker()
    await ask(it, worker)
    renamed = worker.asked[0].original.replace("line_32", "row_32")
    worker.answer = renamed.replace("line_25 = 25", "line_25 = 26")
    assert await ask(it, worker) == ([(32, "line", "row"), (25, "5", "6")], "")


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


async def test_it_asks_nobody_without_edits_and_says_what_the_worker_says() -> None:
    worker = Worker(Refused(1, "failed", "gone"))
    assert await ask(Typing(TEXT), worker) == ([], "no-next-edit")
    assert worker.asked == []
    assert await ask(edited(), worker) == ([], "failed")


@pytest.mark.parametrize(
    ("number", "reason"),
    [("", "empty"), ("40 <|im_end|>", "special"), ("\x07", "unprintable")],
)
async def test_an_answer_that_is_no_text(number: str, reason: str) -> None:
    it, worker = edited(), Worker()
    await ask(it, worker)
    region = worker.asked[0].original
    worker.answer = region.removesuffix("40") + number if number else ""
    assert await ask(it, worker) == ([], reason)


async def test_lines_that_are_too_long_are_not_asked_for() -> None:
    it, worker = Typing("x = 1\ny = '" + "a" * region.CHARS + "'\n"), Worker("x")
    it.retype(0, 0, "x", "z")
    assert await ask(it, worker, line=0) == ([], "too-long")
    assert worker.asked == []


async def test_it_looks_where_the_newest_edit_has_brought_a_problem_about() -> None:
    it, worker = edited(), Worker()
    await ask(it, worker, INSTRUCT, problems=[(50, "no name line_30"), (55, "no name line_30")])
    (request,) = worker.asked
    assert request.original.split("\n")[10] == "line_50 = 50"
    assert "in the line `line_50 = 50`: no name line_30" in request.instruction
    worker.answer = request.original.replace("50 = 50", "50 = row")
    problem = [(50, "no name line_30")]
    assert await ask(it, worker, INSTRUCT, problems=problem) == ([(50, "50", "row")], "")
    assert await ask(it, worker, SWEEP, problems=problem) == ([(50, "50", "row")], "")


async def test_a_problem_near_the_cursor_moves_no_region() -> None:
    it, worker = edited(), Worker()
    await ask(it, worker, INSTRUCT, problems=[(35, "no name line_30"), (36, "my secret line_30")])
    assert worker.asked[0].original.split("\n")[10] == "row_30 = 30"
    assert "in the line `line_35 = 35`: no name line_30" in worker.asked[0].instruction
    await ask(it, worker, INSTRUCT, problems=[(36, "my secret line_30")])
    assert "in the line `line_36 = 36`: \n" in worker.asked[1].instruction


CODE = "import os\n\n\ndef f(price):\n    return prize\n"


async def fixed(
    answer: str, settings: Settings = INSTRUCT, history: EditHistory | None = None
) -> tuple[Infill, str]:
    """What was asked for the problem in CODE, and the code as it is then; or the reason why not."""
    worker, snapshot = Worker(answer.rstrip("\n")), Snapshot("file:///a.py", 1, "python", CODE)
    found = await region.fix(
        snapshot,
        CODE.index("prize"),
        "undefined name 'prize'",
        history or EditHistory(),
        worker,
        settings,
        clean,
        ("# other.py\n",),
    )
    (request,) = worker.asked
    if isinstance(found, Refusal):
        return request, found.reason
    return request, CODE[: found.span.start] + found.text + CODE[found.span.end :]


async def test_a_problem_is_told_to_a_model_that_follows_instructions() -> None:
    right = CODE.replace("prize", "price")
    request, becomes = await fixed(right)
    assert becomes == right
    assert request.original == CODE.rstrip("\n")
    assert request.context == ("# other.py\n",)
    assert request.instruction.startswith("There is a problem in the line `return prize`: undefined name")
    request, _ = await fixed(right, history=edited().history)
    assert request.instruction.startswith("The user has just made these edits:\na.py:31\n- line_30")


async def test_a_model_for_next_edits_is_told_where_the_problem_is() -> None:
    request, _ = await fixed("x", SWEEP, edited().history)
    assert request.next_edit
    assert request.original[request.next_edit.cursor :].startswith("prize")
    assert (request.instruction, request.context) == ("", ())


async def test_what_was_asked_for_is_only_held_to_the_parse() -> None:
    """Only deleting is what an unused import wants."""
    assert (await fixed(CODE.removeprefix("import os\n\n\n")))[1].startswith("def f")
    assert (await fixed(CODE.replace("(price)", "(price")))[1] == "parse"
    assert (await fixed(CODE))[1] == "same"


@pytest.mark.parametrize(
    ("settings", "without_edits", "with_edits"),
    [
        (INSTRUCT, True, True),
        (SWEEP, False, True),
        (Settings(), False, False),
        (Settings(next_edit_format="instruct"), False, False),  # the embedded model follows none
    ],
)
def test_who_can_fix(settings: Settings, without_edits: bool, with_edits: bool) -> None:
    assert region.can_fix(settings, EditHistory()) is without_edits
    assert region.can_fix(settings, edited().history) is with_edits
