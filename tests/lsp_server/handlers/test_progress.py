"""Progress of one action, and its cancel button."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.progress import Progress as Tokens

from lsp_server.handlers.progress import Progress
from tests.support.code_actions import ABLE, actions_at
from tests.support.editor import (
    RECORDED,
    TIMEOUT,
    editor,
    eventually,
    listen,
)


async def test_progress_with_a_button_that_cancels() -> None:
    async with editor(RECORDED, **ABLE) as it:
        steps, created = listen(it, "$/progress"), list[Any]()
        it.client.feature(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE)(lambda params: created.append(params.token))
        it.open("# wait\ndef f():\n    pass\n")
        (action, *_) = await actions_at(it, (2, 4), only=["refactor.rewrite.infill.fill"])
        request = it.client.protocol.send_request_async(lsp.CODE_ACTION_RESOLVE, action)
        await eventually(lambda: any("step 1" in str(step.value) for step in steps))
        it.client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams(created[0]))
        with pytest.raises(JsonRpcException, match="cancel"):
            await asyncio.wait_for(request, TIMEOUT)
        await eventually(lambda: "end" in str(steps[-1].value))


class Client:
    """What pygls's tokens need of a protocol, and the client's answer to `window/workDoneProgress/create`."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, str, str | None]] = []  # token, kind, message
        self.answer: Future[Any] = Future()

    def notify(self, method: str, params: Any) -> None:
        self.told.append((params.token, params.value.kind, getattr(params.value, "message", None)))

    def request(self, method: str, params: lsp.WorkDoneProgressCreateParams) -> Future[Any]:
        assert method == lsp.WINDOW_WORK_DONE_PROGRESS_CREATE
        return self.answer


ACCEPT, REJECT = object(), object()  # the client's answer comes then


@pytest.mark.parametrize(
    ("token", "asks", "events", "told"),
    [
        ("t", True, ["one", "two"], ["begin", "one", "two", "end"]),
        (7, False, ["one"], ["begin", "one", "end"]),
        (None, False, ["one"], []),
        (None, True, ["one"], []),  # no answer
        (None, True, [REJECT, "one"], []),
        (None, True, [ACCEPT, "one"], ["begin", "one", "end"]),
        (None, True, ["one", "two", ACCEPT, "three"], ["begin", "two", "three", "end"]),
    ],
)
def test_what_a_client_is_told(token: Any, asks: bool, events: list[Any], told: list[str]) -> None:
    client: Any = Client()
    progress = Progress(Tokens(client), "Fill", token, client.request if asks else None)
    for event in events:
        if event is ACCEPT:
            client.answer.set_result(None)
        elif event is REJECT:
            client.answer.set_exception(RuntimeError("no"))
        else:
            progress.report(event, None)
    progress.end()
    assert [message or kind for _, kind, message in client.told] == told
    assert token is None or {each[0] for each in client.told} == {token}
    if asks and not client.answer.done():
        client.answer.set_result(None)  # too late
    progress.report("late", None)
    assert len(client.told) == len(told)
