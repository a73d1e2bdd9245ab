"""The next edit, as clients ask for it, from a server with a fake worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.editor import (
    FAKED,
    RECORDED,
    TIMEOUT,
    URI,
    Editor,
    editor,
    last_fill,
    listen,
    served,
    type_text,
)

OURS = "infill/nextEdit"
COPILOT = "textDocument/copilotInlineEdit"


async def ask_next_edit(
    it: Editor,
    version: int | None,
    line: int = 0,
    character: int = 0,
    method: str = COPILOT,
    problems: Sequence[Any] = (),
) -> Any:
    document = {"uri": URI, "version": version}
    params = {
        "textDocument": document,
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2} | ({"diagnostics": problems} if problems else {}),
    }
    answer = it.client.protocol.send_request_async(method, params)
    return await asyncio.wait_for(answer, TIMEOUT)


async def test_the_next_edit() -> None:
    async with editor(RECORDED) as it:
        told = listen(it, "didChangeStatus")
        for method in ("didFocus", "didShowInlineEdit", "didShowCompletion", "didPartiallyAcceptCompletion"):
            it.client.protocol.notify(f"textDocument/{method}", {"textDocument": {"uri": URI}})
        assert (await ask_next_edit(it, 1)).edits == []  # not open
        it.open("def f(old):\n    s = '😀' + old\n    return old\n\n\nx = \n")
        assert (await ask_next_edit(it, 1)).edits == []
        type_text(it, 2, 0, 9, "", deleted=3)
        type_text(it, 3, 0, 6, "new")
        assert (await ask_next_edit(it, 2)).edits == []  # a version that is gone
        first, second = (await ask_next_edit(it, 3)).edits
        assert (first.textDocument.uri, first.textDocument.version, first.text) == (URI, 3, "new")
        place = first.range.start, first.range.end
        assert [(each.line, each.character) for each in place] == [(1, 15), (1, 18)]
        assert second.range.start.line == 2
        assert first.command.command == "infill.accepted"
        await it.ask(5, 4)
        assert await served(it) == 1
        assert [status.busy for status in told][-2:] == [True, False]
        assert {status.kind for status in told} == {"Normal"}


async def renamed(it: Editor) -> None:
    """A parameter with two uses gets another name, in version 3."""
    it.open("def f(old):\n    s = old\n    return old\n")
    type_text(it, 2, 0, 9, "", deleted=3)
    type_text(it, 3, 0, 6, "new")


def run(it: Editor, command: Any, name: str = "") -> Any:
    (argument,) = command.arguments
    return it.execute(name or command.command, argument._asdict())


async def counts(it: Editor) -> dict[str, int]:
    """Of the rules, which make all next edits here."""
    told = dict((await it.execute("infill.status"))["nextEdits"])
    assert set(told) == {"rules"}
    return dict(told["rules"])


async def test_our_own_request_says_who_is_how_sure() -> None:
    async with editor(FAKED) as it:
        nothing = await ask_next_edit(it, 1, method=OURS)
        assert (nothing.edits, nothing.reason) == ([], "not-open")
        await renamed(it)
        first, _ = (await ask_next_edit(it, 3, method=OURS)).edits
        assert (first.lane, first.rule, first.confidence, first.text) == ("rules", "rename", 1.0, "new")
        outdated = await ask_next_edit(it, 2, method=OURS)
        assert (outdated.edits, outdated.reason) == ([], "superseded")


async def test_what_becomes_of_an_offer_is_counted_once() -> None:
    async with editor(FAKED) as it:
        await renamed(it)
        first, second = (await ask_next_edit(it, 3)).edits
        await ask_next_edit(it, 3)
        assert await counts(it) == {"shown": 1, "accepted": 0, "dismissed": 0, "ignored": 0}
        await run(it, first.command)
        await run(it, second.command)
        type_text(it, 4, 1, 11, "new", deleted=3)
        assert await counts(it) == {"shown": 1, "accepted": 1, "dismissed": 0, "ignored": 0}
        assert len((await ask_next_edit(it, 4)).edits) == 1
        type_text(it, 5, 2, 0, "#")  # the use is gone
        assert (await ask_next_edit(it, 5)).edits == []
        assert await counts(it) == {"shown": 2, "accepted": 1, "dismissed": 0, "ignored": 1}


async def test_what_was_dismissed_is_not_offered_again() -> None:
    async with editor(FAKED) as it:
        await renamed(it)
        edits = (await ask_next_edit(it, 3)).edits
        await run(it, edits[0].command, "infill.dismissed")
        answer = await ask_next_edit(it, 3, method=OURS)
        assert (answer.edits, answer.reason) == ([], "rejected")
        assert (await counts(it))["dismissed"] == 1


@pytest.mark.parametrize("options", [{"nextEdit": {"enabled": False}}, {"nextEdit.enabled": False}])
async def test_it_can_be_turned_off(options: dict[str, Any]) -> None:
    async with editor(FAKED, options=options) as it:
        await renamed(it)
        answer = await ask_next_edit(it, 3, method=OURS)
        assert (answer.edits, answer.reason) == ([], "off")
        assert it.shown == []


async def test_an_error_of_the_client_s_is_where_a_model_looks() -> None:
    """Not one beyond the document, nor what no client should send."""
    options = {"model": "/some/folder", "nextEdit.format": "instruct"}
    async with editor(RECORDED, options=options) as it:
        it.open("".join(f"line_{n} = {n}\n" for n in range(40)))
        type_text(it, 2, 0, 6, "x")
        at = {"start": {"line": 30, "character": 2}, "end": {"line": 30, "character": 3}}
        far = {"start": {"line": 99, "character": 0}, "end": {"line": 99, "character": 1}}
        known = [{"range": each, "message": "no name line_0"} for each in (far, at)]
        answer = await ask_next_edit(it, 2, method=OURS, problems=known)
        assert answer.reason == "instruction"  # this model follows none
        assert "in the line `line_30 = 30`: no name line_0" in (await last_fill(it))["instruction"]
        assert (await ask_next_edit(it, 2, method=OURS, problems=[7])).edits == []
