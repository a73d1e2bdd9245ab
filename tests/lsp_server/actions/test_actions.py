"""Which actions the backend lets be offered. Carrying them out: `test_rewrite`, `test_commands`."""

from __future__ import annotations

import pytest

from lsp_server.actions.actions import INSTRUCTION, PROOFREAD, offered
from lsp_server.config.settings import Settings
from lsp_server.text.document import Snapshot, Span
from lsp_server.text.syntax import Parses

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
    found = offered(snapshot, Span(0, len(TEXT) - 1), [], settings, Parses())
    assert {action.kind for action in found} & {INSTRUCTION, PROOFREAD} == expected
