"""One request at a time for each document: which answer, and which end, each of several gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lsp_server.session.latest_request import LatestRequests
from lsp_server.text.document import Refusal


class Work:
    """Work that goes on until it is told its answer, and notes whether it was cancelled."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> Any:
        return await self.answer


async def begun(requests: LatestRequests, uri: str) -> tuple[Work, asyncio.Task[Any]]:
    work = Work()
    task = asyncio.create_task(requests.run(uri, work()))
    await asyncio.sleep(0)  # it runs
    await asyncio.sleep(0)  # and its work does
    return work, task


async def reason(task: asyncio.Task[Any]) -> str:
    answer = await asyncio.wait_for(task, 1)
    return answer.reason if isinstance(answer, Refusal) else answer


async def test_a_newer_request_displaces_the_one_before_at_once() -> None:
    requests = LatestRequests()
    first, older = await begun(requests, "a")
    other, elsewhere = await begun(requests, "b")
    second, newer = await begun(requests, "a")
    assert await reason(older) == "superseded"
    assert first.answer.cancelled()
    second.answer.set_result("answered")
    other.answer.set_result("answered too")
    assert (await reason(newer), await reason(elsewhere)) == ("answered", "answered too")


@pytest.mark.parametrize("what", ["displace", "displace_all"])
async def test_displaced_without_a_newer_one(what: str) -> None:
    requests = LatestRequests()
    work, task = await begun(requests, "a")
    requests.displace("b")
    assert not task.done()
    if what == "displace":
        requests.displace("a")
    else:
        requests.displace_all()
    assert await reason(task) == "superseded"
    assert work.answer.cancelled()


async def test_a_caller_that_is_cancelled_is_not_answered() -> None:
    requests = LatestRequests()
    work, task = await begun(requests, "a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.answer.cancelled()


async def test_an_answer_that_has_come_is_not_displaced() -> None:
    requests = LatestRequests()
    work, task = await begun(requests, "a")
    work.answer.set_result("answered")
    assert await reason(task) == "answered"
    _, newer = await begun(requests, "a")
    requests.displace("a")
    assert await reason(newer) == "superseded"


async def test_a_fault_is_the_callers() -> None:
    requests = LatestRequests()
    work, task = await begun(requests, "a")
    work.answer.set_exception(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await task
