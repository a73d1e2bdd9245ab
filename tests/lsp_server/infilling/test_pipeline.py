from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from lsp_server.config.settings import Settings
from lsp_server.infilling.hole import placeholders
from lsp_server.infilling.pipeline import alternatives, fill, suggest
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses
from model_runtime.protocol import Alternative, Done, Draft, Fixed, Infill, Refused, Slot


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


class Slots:
    """A worker that fills every slot with a text of its own, and has room for `most` slots."""

    def __init__(self, *texts: str, most: int = 9) -> None:
        self.texts, self.most = iter(texts), most
        self.sizes: list[int] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        slots = sum(isinstance(piece, Slot) for piece in request.canvas)
        self.sizes.append(slots)
        if slots > self.most:
            return Refused(request.id, "invalid", "the holes need more room")
        return replace_texts(done(""), tuple(next(self.texts) for _ in range(slots)))


def replace_texts(answer: Done, texts: tuple[str, ...], *others: str) -> Done:
    return msgspec.structs.replace(
        answer, texts=texts, alternatives=tuple(Alternative((other,), 0.5) for other in others)
    )


async def test_alternatives() -> None:
    worker = OneAnswer(replace_texts(done("2"), ("2",), "3", "= =", "2", "4"))
    edits = await alternatives(SNAPSHOT, 11, worker, Settings(), Parses(), count=5)
    assert isinstance(edits, list)
    assert [edit.text for edit in edits] == ["2", "3", "4"]
    assert worker.requests[0].candidates == 5


async def test_alternatives_where_the_best_does_not_parse() -> None:
    worker = OneAnswer(replace_texts(done(""), ("= =",), "3"))
    edits = await alternatives(SNAPSHOT, 11, worker, Settings(), Parses())
    assert isinstance(edits, list)
    assert [edit.text for edit in edits] == ["3"]


class OneAfterTheOther(OneAnswer):
    def __init__(self, *answers: Done | Refused) -> None:
        self.answers, self.requests = iter(answers), []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        return next(self.answers)


REPAIRED: list[tuple[Done | Refused, str, int]] = [
    (done("1 +", 0.45), "x = 1 + 2", 2),  # what the second request brings is put between what was kept
    (done("= =", 0.9), "parse", 2),
    (done("2", 0.2), "confidence", 2),
    (Refused(1, "deadline", "out of time"), "parse", 2),
]


@pytest.mark.parametrize(("second", "expected", "count"), REPAIRED)
async def test_what_does_not_parse_is_denoised_once_more(
    second: Done | Refused, expected: str, count: int
) -> None:
    worker = OneAfterTheOther(done("x = = 2", 0.5), second)
    outcome = await suggest(SNAPSHOT, 11, worker, Settings(), Parses())
    assert len(worker.requests) == count
    if isinstance(outcome, Refusal):
        assert outcome.reason == expected
        return
    assert (outcome.text, outcome.confidence) == (expected, 0.45)


async def test_unasked_there_is_silence() -> None:
    worker = OneAnswer(done(" + 1"))
    refusal = await suggest(SNAPSHOT, 5, worker, Settings(), Parses())
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "finished"
    assert worker.requests == []
    assert isinstance(await suggest(SNAPSHOT, 5, worker, Settings(), Parses(), invoked=True), Edit)


FILLED = Snapshot("file:///a.py", 4, "python", "a = <fill>\nb = <fill>\n" + "x = 1\n" * 50 + "c = <fill>\n")


@pytest.mark.parametrize(("most", "sizes"), [(9, [2, 1]), (1, [2, 1, 1, 1])])
async def test_several_holes(most: int, sizes: list[int]) -> None:
    """Those that are near share a canvas, unless it has no room."""
    worker, progress = Slots("1", "= =", "3", most=most), []
    holes = placeholders(FILLED, None, 64)
    outcomes = await fill(FILLED, holes, worker, Settings(), Parses(), lambda *it: progress.append(it))
    assert [it.text if isinstance(it, Edit) else it.reason for it in outcomes] == ["1", "parse", "3"]
    assert [it.span for it in outcomes if isinstance(it, Edit)] == [holes[0].span, holes[2].span]
    assert worker.sizes == sizes
    assert progress == [(2, 3), (3, 3)]


async def test_several_holes_of_a_document_that_is_ruled_out() -> None:
    holes, worker = placeholders(FILLED, None, 64), Slots()
    outcomes = await fill(FILLED, holes, worker, Settings(languages=()), Parses())
    assert [it.reason for it in outcomes if isinstance(it, Refusal)] == ["language"] * 3
    assert worker.sizes == []


async def test_a_language_without_a_grammar_goes_by_lines() -> None:
    edit, _ = await outcome(
        done("2"), replace(SNAPSHOT, language="cobol"), 11, Settings(languages=("cobol",))
    )
    assert isinstance(edit, Edit)


async def test_code_in_markdown_is_asked_for_in_its_own_language() -> None:
    text = "- a\n- \n\n```js\nlet b = \n```\n"
    snapshot, settings = Snapshot("file:///a.md", 1, "markdown", text), Settings(languages=("markdown",))
    for offset, language in ((text.index("- \n") + 2, "markdown"), (text.index("= ") + 2, "javascript")):
        edit, requests = await outcome(done("2"), snapshot, offset, settings)
        assert isinstance(edit, Edit)
        assert requests[0].language == language


async def test_an_empty_file() -> None:
    edit, requests = await outcome(done("import os"), replace(SNAPSHOT, text=""), 0)
    assert isinstance(edit, Edit)
    assert requests[0].canvas == (Slot(32), Fixed("\n"))
    assert requests[0].lines == 1


NAMES = "from natsort import naturalsize\n\n\ndef compute_area(a, b):\n    return a * b\n\n\nx = "


def typed(text: str) -> tuple[Snapshot, int]:
    return Snapshot("file:///a.py", 4, "python", NAMES + text + "\n"), len(NAMES + text)


@pytest.mark.parametrize(
    ("text", "threshold", "offered"),
    [
        ("natural", 0.5, "size"),
        ("nat", 0.5, None),  # or natsort
        ("na", 0.5, None),
        ("natural", 0.99, None),  # the user wants to be surer than that
    ],
)
async def test_the_only_name_is_offered_though_the_model_is_unsure(
    text: str, threshold: float, offered: str | None
) -> None:
    edit, _ = await outcome(done("x", 0.16), *typed(text), Settings(confidence_threshold=threshold))
    if offered is None:
        assert isinstance(edit, Refusal)
        assert edit.reason == "confidence"
    else:
        assert isinstance(edit, Edit)
        assert (edit.text, edit.sources) == (offered, ("name",))
        assert threshold < edit.confidence < 1


class InTurn:
    """A worker with one answer after the other."""

    def __init__(self, *answers: Done | Refused) -> None:
        self.answers = iter(answers)
        self.requests: list[Infill] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        return next(self.answers)


@pytest.mark.parametrize(
    ("answers", "text", "confidence"),
    [
        ((done("compute", 0.8), done("(3, 4)", 0.7)), "compute_area(3, 4)", 0.7),
        ((done("compute", 0.8), done("(3, 4)", 0.1)), "compute_area", 0.8),  # unsure how it goes on
        ((done("compute", 0.8), Refused(0, "worker-lost")), "compute_area", 0.8),
        ((done("nat", 0.8), done("size", 0.7)), "natsize", 0.7),  # of several names
        ((done("compute_area", 0.8),), "compute_area", 0.8),
        ((done("new_name", 0.8),), "new_name", 0.8),
    ],
)
async def test_what_ends_inside_a_name_is_continued(
    answers: tuple[Done | Refused, ...], text: str, confidence: float
) -> None:
    worker = InTurn(*answers)
    edit = await suggest(*typed(""), worker, Settings(confidence_threshold=0.5), Parses())
    assert isinstance(edit, Edit)
    assert (edit.text, edit.confidence) == (text, confidence)
    assert len(worker.requests) == len(answers)
    if len(answers) == 2:
        first, slot, *_ = worker.requests[1].canvas
        assert isinstance(first, Fixed)
        assert first.text in ("x = compute_area", "x = nat")
        assert isinstance(slot, Slot)
