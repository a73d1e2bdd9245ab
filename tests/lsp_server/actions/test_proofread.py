from __future__ import annotations

from collections.abc import Callable

import pytest

from lsp_server.actions.action_request import ActionRequest
from lsp_server.actions.proofread import MOST_DOUBTS, PIECE_WORDS, DoubtfulWord, proofread
from lsp_server.config.settings import Settings
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses
from model_runtime.protocol import Done, Draft, Infill, Refused


class Reader:
    """Would write `text` in place of `wrong`, and leaves the rest."""

    def __init__(self, text: str = "right", confidence: float = 0.9) -> None:
        self.text, self.confidence = text, confidence
        self.read: list[str] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.read.append(request.original)
        if request.original == "lost":
            return Refused(0, "worker-lost", "the worker died")
        text = self.text if request.original == "wrong" else request.original
        return Done(0, (text,), self.confidence, 1, 0, 0, 0)


async def check(text: str, worker: Reader, start: int = 0) -> list[tuple[str, str]] | str:
    """(word, other text) of each doubt, or the reason for a refusal."""
    steps: list[tuple[int, int]] = []
    pieces: list[str] = []
    found: list[DoubtfulWord] = []

    def on_piece(piece: Span, words: list[DoubtfulWord]) -> bool:
        assert all(piece.start <= each.span.start <= each.span.end <= piece.end for each in words)
        pieces.append(text[piece.start : piece.end])
        found.extend(words)
        return "stop" not in pieces[-1]

    outcome = await proofread(
        Snapshot("file:///a.py", 1, "python", text),
        Span(start, len(text)),
        ActionRequest(worker, lambda message, percentage: None),
        Settings(),
        Parses(),
        lambda done, of: steps.append((done, of)),
        on_piece,
    )
    if isinstance(outcome, Refusal):
        return outcome.reason
    assert [done for done, _ in steps] == list(range(1, len(worker.read) + 1))
    assert text[start:].startswith("".join(pieces))
    assert found == outcome
    return [(text[each.span.start : each.span.end], each.text) for each in outcome]


@pytest.mark.parametrize(
    ("text", "worker", "expected"),
    [
        ("a = wrong + 1\n", Reader(), [("wrong", "right")]),
        ("a = wrong(wrong)\n", Reader(), [("wrong", "right")] * 2),
        ("a = wrong\n", Reader(confidence=0.5), []),  # not sure enough
        ("a = wrong\n", Reader("1 + 2"), [("wrong", "")]),  # in doubt, but this is no other word
        ("a = wrong\n", Reader("= ="), [("wrong", "")]),  # nor may it parse worse
        ("a = right\n", Reader(), []),
        ("wrong = wrong\n", Reader(), [("wrong", "right")] * 2),
        ("\n  \n", Reader(), "no-hole"),
        ("()\n", Reader(), "no-hole"),
        ("a = lost\n", Reader(), "worker-lost"),
    ],
)
async def test_words_in_doubt(text: str, worker: Reader, expected: object) -> None:
    assert await check(text, worker) == expected


async def test_only_what_is_selected_is_read() -> None:
    worker = Reader()
    assert await check("wrong = 1\nb == wrong\n", worker, start=10) == [("wrong", "right")]
    assert worker.read == ["b", "==", "wrong"]


async def test_a_long_text_is_read_in_pieces_that_end_with_lines() -> None:
    worker, line = Reader(), "a wrong b\n"
    found = await check(line * 200, worker)
    assert len(worker.read) == 600, "no word is left out, none is read twice"
    assert found == [("wrong", "right")] * 200
    worker = Reader()
    assert await check(line * 30 + "stop\n" + line * 30, worker) == [("wrong", "right")] * 41
    assert len(worker.read) == 124, "the piece with that word is the last"


async def test_so_many_doubts_are_enough() -> None:
    worker = Reader()
    found = await check("wrong\n" * (MOST_DOUBTS + 10 * PIECE_WORDS), worker)
    assert MOST_DOUBTS <= len(found) < MOST_DOUBTS + PIECE_WORDS


async def test_in_prose_only_words_are_read() -> None:
    text = "# It's **wrong**: see `a_b`\n"
    reader = Reader()
    snapshot = Snapshot("file:///a.md", 1, "markdown", text)
    request = ActionRequest(reader, lambda message, percentage: None)
    span, settings = Span(0, len(text)), Settings(languages=("md",))

    def nothing(*_: object) -> bool:
        return True

    found = await proofread(snapshot, span, request, settings, Parses(), nothing, nothing)
    assert reader.read == ["It's", "wrong", "see", "a_b"]
    assert isinstance(found, list)
    assert [(text[each.span.start : each.span.end], each.text) for each in found] == [("wrong", "right")]
