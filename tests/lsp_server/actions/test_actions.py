"""Which actions are offered with which model, and how sure of itself it must be to replace something.
Carrying them out: `test_rewrite`, `test_commands`."""

from __future__ import annotations

import pytest

from lsp_server.actions.actions import DOCSTRING, FIX, INSTRUCTION, PROOFREAD, Action, carry_out, offered
from lsp_server.config.settings import Settings
from lsp_server.infilling.pipeline import OnDraft
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses
from model_runtime.protocol import Done, Infill, Refused

TEXT = "total = price * count + shipping\n"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), {PROOFREAD}),
        (Settings(model="org/chat"), {INSTRUCTION, PROOFREAD}),
        (Settings(backend="vllm", backend_url="http://a"), {PROOFREAD}),
        (Settings(backend="openai", backend_url="http://a"), {INSTRUCTION}),
    ],
    ids=["embedded", "a chat model", "embedded on vLLM", "texts"],
)
def test_what_a_selection_offers(settings: Settings, expected: set[str]) -> None:
    snapshot = Snapshot("file:///a.py", 1, "python", TEXT)
    found = offered(snapshot, Span(0, len(TEXT) - 1), [], settings, Parses(), asks=True)
    assert {action.kind for action in found} & {INSTRUCTION, PROOFREAD} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT, None),  # nobody could say what is to be done
        ("# use integers\n" + TEXT, "use integers"),
        ("    # use integers\n    " + TEXT, "use integers"),
        ("# use integers\n", None),  # of what?
        ("total = 1  # use integers\n" + TEXT, None),
    ],
)
def test_a_comment_is_an_instruction_where_the_client_cannot_ask(text: str, message: str | None) -> None:
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    found = offered(snapshot, Span(0, len(text)), [], Settings(model="org/chat"), Parses())
    assert [each.message for each in found if each.kind == INSTRUCTION] == ([message] if message else [])


class Sure:
    """A worker that is as sure as it is told to be."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        return Done(0, ("value = 2",), self.confidence, 1, 0, 0, 0)


FUNCTION = 'def f(value):\n    """Old."""\n    value = valeu\n    return value\n'
NEW = "def f(value):\n    value = valeu\n    return value\n"


@pytest.mark.parametrize(
    ("kind", "text", "barred"),
    [(DOCSTRING, FUNCTION, True), (DOCSTRING, NEW, False), (FIX, NEW, True)],
    ids=["docstring that is there", "new docstring", "fix"],
)
async def test_what_is_there_is_only_replaced_by_what_is_sure(kind: str, text: str, barred: bool) -> None:
    snapshot, settings = Snapshot("file:///a.py", 1, "python", text), Settings(confidence_threshold=0.5)
    action = Action(kind, "", Span(at := text.index("valeu"), at + 5), "no such name")
    for confidence, refused in ((0.49, barred), (0.5, False)):
        found = await carry_out(
            action, snapshot, Sure(confidence), settings, Parses(), lambda message, percentage: None
        )
        assert isinstance(found, Refusal) == refused, found
        assert not isinstance(found, Refusal) or found.reason == "confidence"
