"""A problem that is fixed, in its statement or by a model that rewrites regions. What that is asked:
`tests/lsp_server/next_edit/test_region.py`."""

from __future__ import annotations

import pytest

from lsp_server.actions.actions import FIX, Action, Diagnostic, carry_out, offered
from lsp_server.config.settings import Settings
from lsp_server.infilling.pipeline import Filler, OnDraft
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses
from model_runtime.protocol import Done, Infill, Refused

CODE = "def f(price):\n    total = prize\n    return total\n"
AT = Span(CODE.index("prize"), CODE.index("prize") + 5)
REGIONS = Settings(model="org/chat", next_edit_format="instruct", confidence_threshold=0.4)


class Worker:
    def __init__(self, text: str) -> None:
        self.text, self.asked = text, list[Infill]()

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        self.asked.append(request)
        return Done(0, (self.text,), 0.5, 1, 0, 0, 0)


async def fix(
    by_region: Edit | Refusal | None, worker: Worker, language: str = "python"
) -> tuple[Edit, ...] | Refusal:
    snapshot = Snapshot("file:///a.py", 1, language, CODE)

    async def rewritten(
        worker: Filler, settings: Settings, message: str, context: tuple[str, ...]
    ) -> Edit | Refusal:
        assert by_region
        assert (message, context) == ("undefined name", ("# other\n",))
        await worker.fill(Infill(0, "a#next-edit", "", (), original="old", instruction="fix it"))
        return by_region

    settings = REGIONS if language == "python" else Settings(languages=(language,))
    return await carry_out(
        Action(FIX, "", AT, "undefined name"),
        snapshot,
        worker,
        settings,
        Parses(),
        lambda message, percentage: None,
        lambda snapshot, offset, syntax: ("# other\n",),
        by_region=rewritten if by_region else None,
    )


def edit(text: str, span: Span = AT, confidence: float = 0.5) -> Edit:
    return Edit("file:///a.py", 1, span, text, confidence, 1, 0.0, ("region",))


def made(found: tuple[Edit, ...] | Refusal) -> str:
    if isinstance(found, Refusal):
        return found.reason
    text = CODE
    for each in reversed(found):
        text = text[: each.span.start] + each.text + text[each.span.end :]
    return text


async def test_a_rewritten_region_is_the_fix() -> None:
    """Where there is no model for it, the statement is written anew. Both carry the action's fields."""
    worker, everything = Worker("total = price"), Span(0, len(CODE))
    right = CODE.replace("prize", "price")
    assert made(await fix(edit(right, everything), worker)) == right
    (request,) = worker.asked
    assert (request.original, request.instruction, request.priority) == ("old", "fix it", "rewrite")
    assert made(await fix(None, worker)) == right
    assert worker.asked[1].prefix.endswith("    # undefined name\n")
    assert "undefined name\nThe code:\ntotal = prize" in worker.asked[1].task


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (edit("price("), "parse"),
        (edit("price", confidence=0.39), "confidence"),
        (Refusal("same", "nothing"), "same"),
    ],
)
async def test_a_region_is_held_to_what_a_statement_is(outcome: Edit | Refusal, reason: str) -> None:
    assert made(await fix(outcome, Worker(""))) == reason


async def test_without_a_grammar_only_a_region_can_be_fixed() -> None:
    assert made(await fix(None, Worker("price"), "plaintext")) == "no-grammar"
    assert made(await fix(edit("price"), Worker(""), "plaintext")) == CODE.replace("prize", "price")


@pytest.mark.parametrize(
    ("settings", "span", "message", "titles"),
    [
        (Settings(), AT, "no\nname", ["Fix: no"]),
        (Settings(), Span(0, len(CODE)), "no name", []),  # more than a hole
        (REGIONS, Span(0, len(CODE)), "no name", ["Fix: no name"]),
        (REGIONS, AT, "", []),
        (Settings(), AT, " ", []),
    ],
)
def test_what_is_offered(settings: Settings, span: Span, message: str, titles: list[str]) -> None:
    snapshot = Snapshot("file:///a.py", 1, "python", CODE * 4)
    found = offered(snapshot, Span(AT.start, AT.start), [Diagnostic(span, message)], settings, Parses())
    assert [each.title for each in found if each.kind == FIX] == titles
