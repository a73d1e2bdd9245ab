"""What a client gets that shows how a fill proceeds, and that others get nothing of it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.editor import (
    RECORDED,
    TIMEOUT,
    URI,
    editor,
    eventually,
    last_fill,
    listen,
    texts,
    type_text,
)


async def test_drafts_and_status_for_a_client_that_wants_them() -> None:
    wanted = {"infill": {"drafts": True, "status": True}}
    async with editor(RECORDED, experimental=wanted) as it:
        drafts, states = listen(it, "infill/draft"), listen(it, "infill/status")
        it.open("a = ")
        await asyncio.wait_for(it.send(0, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked), TIMEOUT)
        (draft,) = drafts
        assert (draft.uri, draft.version, draft.step, draft.texts) == (URI, 1, 1, ["fi"])
        assert (draft.position.line, draft.position.character) == (0, 4)
        await eventually(lambda: states and states[-1].state == "idle")
        assert states[-1].latency >= 0
        assert [state.state for state in states].count("busy") == 1
        told = [(each.state, each.message, getattr(each, "latency", None)) for each in states]
        assert all(a != b for a, b in itertools.pairwise(told)), "only changes are told"


async def test_no_drafts_of_what_nobody_asked_for() -> None:
    async with editor(RECORDED, experimental={"infill": {"drafts": True}}) as it:
        drafts = listen(it, "infill/draft")
        it.open("a = ")
        assert await texts(it.send(0, 4))
        assert drafts == []


async def test_the_canvas_for_a_client_that_draws_it() -> None:
    async with editor(RECORDED, experimental={"infill": {"canvas": True}}) as it:
        drafts = listen(it, "infill/draft")
        it.open("a = ")
        await it.ask(0, 4)
        (draft,) = drafts
        told = [(token.text, token.before, token.state, token.logprob) for token in draft.tokens]
        assert told == [("a =", "a =", "pinned", 0.0), (" fi", "#!", "noise", -1.5)]
        assert (await last_fill(it))["tokens"] is True


async def test_why_nothing_is_offered_for_a_client_that_asks() -> None:
    async with editor(RECORDED, experimental={"infill": {"refusals": True}}) as it:
        refused = listen(it, "infill/refused")
        it.open("a = 1\n")
        await it.ask(0, 5)
        (told,) = refused
        assert (told.uri, told.position.character, told.reason) == (URI, 5, "finished")
        assert told.message


def steps_params(**changes: Any) -> dict[str, Any]:
    document, position = {"uri": URI}, {"line": 0, "character": 4}
    return {"textDocument": document, "position": position, "context": {"triggerKind": 2}} | changes


async def test_a_client_chooses_how_many_steps_a_fill_takes() -> None:
    async with editor(RECORDED) as it:
        it.open("a = ")
        for sent, steps in ((steps_params(steps=8, context={"triggerKind": 1}), 8), (steps_params(), None)):
            answer = it.client.protocol.send_request_async("infill/inlineCompletion", sent)
            found = await asyncio.wait_for(answer, TIMEOUT)
            assert found.items[0].insertText == "filled"
            if steps:
                assert (await last_fill(it))["steps"] == steps
                type_text(it, 2, 0, 4, " ")


NONSENSE: list[dict[str, Any]] = [
    {"steps": 0},
    {"steps": 65},
    {"steps": True},
    {"steps": "8"},
    {"position": {"line": 0}},
    {"position": {"line": "0", "character": 4}},
    {"textDocument": {}},
    {"context": {"triggerKind": 9}},
    {"context": None},
]


async def test_a_request_for_steps_that_makes_no_sense() -> None:
    async with editor(RECORDED) as it:
        it.open("a = ")
        for changes in NONSENSE:
            answer = it.client.protocol.send_request_async("infill/inlineCompletion", steps_params(**changes))
            with pytest.raises(JsonRpcException, match="infill/inlineCompletion takes"):
                await asyncio.wait_for(answer, TIMEOUT)


async def test_other_clients_are_told_nothing() -> None:
    methods = ("infill/draft", "infill/status", "infill/refused", "didChangeStatus")
    async with editor(RECORDED) as it:
        heard = [listen(it, method) for method in methods]
        it.open("a = ")
        await it.ask(0, 4)
        await it.execute("infill.status")
        assert heard == [[], [], [], []]
