from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lsp_server.document import Edit, Refusal, Snapshot, Span
from lsp_server.pipeline import suggest
from lsp_server.settings import Settings
from lsp_server.syntax import Parses
from model_runtime.protocol import Done, Draft, Fixed, Infill, Refused, Slot


class OneAnswer:
    """A worker that gives the same answer to everything and keeps the requests."""

    def __init__(self, answer: Done | Refused) -> None:
        self.answer = answer
        self.requests: list[Infill] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        return self.answer


def done(text: str, confidence: float = 0.5) -> Done:
    return Done(1, (text,), confidence, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)


SNAPSHOT = Snapshot("file:///a.py", 4, "python", "a = 1\r\nb = \r\n")


async def outcome(
    answer: Done | Refused,
    snapshot: Snapshot = SNAPSHOT,
    offset: int | None = 11,
    settings: Settings | None = None,
) -> tuple[Edit | Refusal, list[Infill]]:
    worker = OneAnswer(answer)
    return await suggest(snapshot, offset, worker, settings or Settings(), Parses()), worker.requests


async def test_an_edit_of_the_version_it_was_asked_for() -> None:
    edit, requests = await outcome(done("2\n"))
    assert isinstance(edit, Edit)
    assert replace(edit, ms=0) == Edit("file:///a.py", 4, Span(11, 11), "2", 0.5, 3, 0)
    assert edit.ms > 0
    assert requests == [
        Infill(
            id=0,
            document="file:///a.py",
            prefix="a = 1\n",
            canvas=(Fixed("b = "), Slot(24), Fixed("\n")),
            language="python",
            deadline_ms=Settings().deadline_ms,
        )
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Refused(1, "loading", "the model is being loaded"), "loading"),
        (Refused(1, "worker-lost"), "worker-lost"),
        (done("2", confidence=0.2), "confidence"),
        (done(""), "empty"),
        (done("= ="), "parse"),
    ],
)
async def test_refusals_name_their_reason(answer: Done | Refused, reason: str) -> None:
    refusal, _ = await outcome(answer, settings=Settings(confidence_threshold=0.3))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert refusal.message


@pytest.mark.parametrize(
    ("snapshot", "offset", "reason"),
    [
        (SNAPSHOT, None, "position"),
        (SNAPSHOT, 99, "position"),
        (replace(SNAPSHOT, language="cobol"), 11, "language"),
    ],
)
async def test_the_worker_is_not_asked_in_vain(snapshot: Snapshot, offset: int | None, reason: str) -> None:
    refusal, requests = await outcome(done("2"), snapshot, offset)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert requests == []


async def test_a_language_without_a_grammar_goes_by_lines() -> None:
    edit, _ = await outcome(
        done("2"), replace(SNAPSHOT, language="cobol"), 11, Settings(languages=("cobol",))
    )
    assert isinstance(edit, Edit)


async def test_an_empty_file() -> None:
    edit, requests = await outcome(done("import os"), replace(SNAPSHOT, text=""), 0)
    assert isinstance(edit, Edit)
    assert requests[0].canvas == (Slot(32), Fixed("\n"))
