from __future__ import annotations

from collections.abc import Callable

import pytest

from lsp_server.actions.action_request import ActionRequest
from lsp_server.actions.proofread import MOST_WORDS, proofread
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
    outcome = await proofread(
        Snapshot("file:///a.py", 1, "python", text),
        Span(start, len(text)),
        ActionRequest(worker, lambda message, percentage: None),
        Settings(),
        Parses(),
        lambda done, of: steps.append((done, of)),
    )
    if isinstance(outcome, Refusal):
        return outcome.reason
    assert steps[-1] == (len(worker.read), len(worker.read))
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
        ("a " * (MOST_WORDS + 1), Reader(), "too-long"),
    ],
)
async def test_words_in_doubt(text: str, worker: Reader, expected: object) -> None:
    assert await check(text, worker) == expected


async def test_only_what_is_selected_is_read() -> None:
    worker = Reader()
    assert await check("wrong = 1\nb == wrong\n", worker, start=10) == [("wrong", "right")]
    assert worker.read == ["b", "==", "wrong"]


async def test_in_prose_only_words_are_read() -> None:
    text = "# It's **wrong**: see `a_b`\n"
    reader = Reader()
    snapshot = Snapshot("file:///a.md", 1, "markdown", text)
    request = ActionRequest(reader, lambda message, percentage: None)
    found = await proofread(
        snapshot, Span(0, len(text)), request, Settings(languages=("md",)), Parses(), lambda done, of: None
    )
    assert reader.read == ["It's", "wrong", "see", "a_b"]
    assert isinstance(found, list)
    assert [(text[each.span.start : each.span.end], each.text) for each in found] == [("wrong", "right")]
