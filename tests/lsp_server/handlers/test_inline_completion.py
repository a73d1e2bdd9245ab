"""Text at the cursor, from a server with a fake worker."""

from __future__ import annotations

import asyncio

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.support.editor import (
    FAKED,
    RECORDED,
    TIMEOUT,
    URI,
    Editor,
    check_empty,
    check_offered,
    editor,
    served,
    texts,
    type_text,
)


@pytest.mark.parametrize(
    ("text", "line", "character", "utf_16"),
    [
        ("", 0, 0, 0),
        ("a = ", 0, 4, 4),
        ("a = 1\r\nb = \r\nc = 3\r\n", 1, 4, 4),
        ("s = '😀注' + \n", 0, 12, 12),
        ("a\x0cb\n\nc = \n", 2, 4, 4),  # a form feed ends no line
        ("a = \n", 0, 77, 4),  # past the line's end
        ("s = '\ud83d' + \n", 0, 10, 10),
    ],
)
async def test_offered_at_the_cursor(text: str, line: int, character: int, utf_16: int) -> None:
    async with editor(FAKED) as it:
        it.open(text)
        check_offered(await it.ask(line, character), line, utf_16)


async def test_what_is_typed_as_offered_needs_no_worker() -> None:
    async with editor(RECORDED) as it:
        it.open("a = \nb = 1\n")
        assert await texts(it.send(0, 4)) == ["filled"]
        type_text(it, 2, 0, 4, "fi")
        assert await texts(it.send(0, 6)) == ["lled"]
        type_text(it, 3, 0, 6, "l")
        assert await texts(it.send(0, 7)) == ["led"]
        type_text(it, 4, 0, 7, "", deleted=2)  # back into it
        assert await texts(it.send(0, 5)) == ["illed"]
        assert await served(it) == 1
        type_text(it, 5, 0, 5, "x")  # another way
        assert await texts(it.send(0, 6)) != []
        assert await served(it) == 2


async def test_an_accepted_suggestion_is_not_offered_again_when_deleted() -> None:
    async with editor(RECORDED) as it:
        it.open("a = ")
        await it.ask(0, 4)
        type_text(it, 2, 0, 4, "filled")
        await it.execute("infill.accepted", {"uri": URI, "version": 1, "length": 6})
        await eventually_served(it, 2)  # the next place, before anyone asks
        type_text(it, 3, 0, 10, "", deleted=2)
        assert await texts(it.send(0, 8)) == ["filled"]
        assert await served(it) == 3


async def eventually_served(it: Editor, count: int) -> None:
    for _ in range(100 * TIMEOUT):
        if await served(it) >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


async def test_a_fill_survives_its_request_for_what_is_typed_next() -> None:
    """As VS Code does: each key cancels the request before it."""
    async with editor(RECORDED) as it:
        it.open("# slow\na = \n")
        first = it.send(1, 4, id="first")
        await eventually_served(it, 1)
        it.client.cancel_request(lsp.CancelParams(id="first"))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(first, TIMEOUT)
        type_text(it, 2, 1, 4, "f")
        assert await texts(it.send(1, 5)) == ["illed"]
        assert await served(it) == 1


async def test_the_next_place_is_filled_before_it_is_asked_for() -> None:
    async with editor(RECORDED) as it:
        it.open("a = \n")
        assert await texts(it.send(0, 4)) == ["filled"]
        type_text(it, 2, 0, 4, "filled")
        await eventually_served(it, 2)
        type_text(it, 3, 0, 10, " ")  # asked for by nobody, so this one is not begun
        type_text(it, 4, 0, 11, "+ ")
        assert await texts(it.send(0, 13)) == ["filled"]
        assert await served(it) == 3


async def test_a_rest_of_two_characters_is_not_shown_unless_it_closes_something() -> None:
    async with editor(RECORDED) as it:
        it.open("# fill: um\na = s\n# fill: x)\nf(\n")
        check_empty(await it.ask(1, 5))
        assert await texts(it.send(3, 2)) == ["x)"]
        type_text(it, 2, 3, 2, "x")
        assert await texts(it.send(3, 3)) == [")"]


async def test_one_suggestion_where_a_name_goes_on() -> None:
    async with editor(RECORDED) as it:
        it.open("def compute_filled(a, b):\n    return a\n\n\n# fill: compute_\nx = \n")
        assert await texts(it.send(5, 4)) == ["compute_filledcompute_"]  # the fake says the same again
        assert await served(it) == 2


async def test_a_suggestion_counts_once() -> None:
    async with editor(RECORDED) as it:
        it.open("a = \n")
        await it.ask(0, 4)
        for at, key in enumerate("fi"):  # typed through
            type_text(it, 2 + at, 0, 4 + at, key)
            assert await texts(it.send(0, 5 + at)) == ["filled"[at + 1 :]]
        assert await counted(it) == (1, 0)
        type_text(it, 4, 0, 6, "ll")  # accepted in part
        assert await texts(it.send(0, 8)) == ["ed"]
        assert await counted(it) == (1, 1)
        type_text(it, 5, 0, 8, "ed")  # and whole
        await it.execute("infill.accepted", {"uri": URI, "version": 4, "length": 2})
        assert await counted(it) == (1, 1)
        await it.ask(0, 10)
        assert await counted(it) == (2, 1)


async def counted(it: Editor) -> tuple[int, int]:
    status = await it.execute("infill.status")
    return status["shown"], status["accepted"]


async def test_silence_while_typing_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    async with editor(RECORDED) as it:
        it.open("a = 'one \n")
        check_empty(await it.ask(0, 9))
        invoked = it.send(0, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked)
        assert await texts(invoked) != []
    logged = capfd.readouterr().err  # what the server logs, which the editor passes on
    assert "offered for" in logged
    assert "(string)" not in logged


async def test_who_asks_gets_alternatives() -> None:
    async with editor(RECORDED) as it:
        it.open("# fill: filled\na = \n")
        invoked = it.send(1, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked)
        assert await texts(invoked) == ["filled", "other"]  # of three, two are the same
        type_text(it, 2, 1, 4, "o")
        assert await texts(it.send(1, 5)) == ["ther"]
        assert await served(it) == 1


async def test_the_selected_menu_entry_comes_first() -> None:
    async with editor(RECORDED) as it:
        it.open("# fill: (1)\na = pri\n")
        chosen = lsp.Range(lsp.Position(1, 4), lsp.Position(1, 7))
        context = lsp.InlineCompletionContext(
            lsp.InlineCompletionTriggerKind.Automatic, lsp.SelectedCompletionInfo(chosen, "print")
        )
        params = lsp.InlineCompletionParams(context, lsp.TextDocumentIdentifier(URI), lsp.Position(1, 7))
        answer = await asyncio.wait_for(it.client.text_document_inline_completion_async(params), TIMEOUT)
        (item,) = answer.items
        assert (item.insert_text, item.range) == ("print(1)", chosen)
        type_text(it, 2, 1, 7, "n")
        assert await texts(it.send(1, 8)) == ["t(1)"]


async def test_an_item_tells_how_sure_it_is() -> None:
    async with editor(RECORDED) as it:
        it.open("a = ")
        (item,) = (await it.ask(0, 4)).items
        (told,) = item.command.arguments
        assert (told["confidence"], told["sources"]) == (0.9, [])


async def test_an_unsure_suggestion_is_shown_only_when_asked_for() -> None:
    async with editor(FAKED, options={"confidenceThreshold": 0.9}) as it:
        it.open("a = ")
        check_empty(await it.ask(0, 4))
        invoked = it.send(0, 4, trigger=lsp.InlineCompletionTriggerKind.Invoked)
        check_offered(await asyncio.wait_for(invoked, TIMEOUT), 0, 4)


async def test_one_current_request_per_document() -> None:
    async with editor(FAKED) as it:
        it.open("# wait\na = \nb = \n")
        it.open("c = ", uri="file:///c.py")
        first, second = it.send(1, 4), it.send(2, 4)
        assert await asyncio.wait_for(first, TIMEOUT) is None  # superseded
        check_offered(await it.ask(0, 4, "file:///c.py"), 0, 4)  # other documents go on
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("a = \n"))
        assert await asyncio.wait_for(second, TIMEOUT) is None  # the document has moved on
        check_offered(await it.ask(0, 4), 0, 4)


async def test_cancelled_by_the_client() -> None:
    async with editor(FAKED) as it:
        it.open("# wait\na = \n")
        request = it.send(1, 4, id="mine")
        it.client.cancel_request(lsp.CancelParams(id="mine"))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("a = \n"))
        check_offered(await it.ask(0, 4), 0, 4)


async def test_closing_a_document_answers_its_request() -> None:
    async with editor(FAKED) as it:
        it.open("# wait\na = \n")
        request = it.send(1, 4)
        it.client.text_document_did_close(
            lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier("file:///a.py"))
        )
        assert await asyncio.wait_for(request, TIMEOUT) is None


async def test_faults_end_at_the_request() -> None:
    async with editor(FAKED) as it:
        it.open("# crash\na = \n")
        assert await it.ask(1, 4) is None
        it.change(2, lsp.TextDocumentContentChangeWholeDocument("# lost\na = \n"))
        check_empty(await it.ask(1, 4))
        assert it.logged == ["infill-ls: the worker is gone"]
        it.change(3, lsp.TextDocumentContentChangeWholeDocument("a = \n"))
        check_offered(await it.ask(0, 4), 0, 4)
        assert it.shown == []


async def test_what_a_user_can_act_on_is_shown_once() -> None:
    async with editor(FAKED) as it:
        it.open("# failed\na = \n")
        for _ in range(3):
            check_empty(await it.ask(1, 4))
        assert it.shown == ["infill-ls: no model at /m: copy it again"]
