"""Which requests a fill serves, and when another one begins, with fills that end when they are told to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lsp_server.session import under_way
from lsp_server.session.under_way import Outcome, UnderWay
from lsp_server.text.document import Edit, Refusal, Snapshot, Span

URI = "file:///a.py"
UNSURE = Refusal("confidence", "0.1")


def place(version: int, text: str) -> tuple[Snapshot, int]:
    return Snapshot(URI, version, "python", text + "\n"), len(text)


def edits(at: int, text: str) -> list[Edit]:
    return [Edit(URI, 1, Span(at, at), text, 0.9, 1, 1.0)]


class Fills:
    def __init__(self) -> None:
        self.begun: list[asyncio.Future[Outcome]] = []

    async def __call__(self) -> Outcome:
        self.begun.append(asyncio.get_running_loop().create_future())
        return await self.begun[-1]


async def asked(under: UnderWay, fills: Fills, version: int, text: str) -> asyncio.Task[Any]:
    task = asyncio.ensure_future(under.outcome(*place(version, text), fills))
    for _ in range(4):
        await asyncio.sleep(0)
    return task


async def test_a_request_joins_the_fill_that_the_one_before_has_left() -> None:
    under, fills = UnderWay(), Fills()
    first = await asked(under, fills, 1, "x = ")
    first.cancel()
    second = await asked(under, fills, 2, "x = fo")
    assert len(fills.begun) == 1
    fills.begun[0].set_result(edits(4, "foo(1)"))
    assert [each.text for each in await second] == ["o(1)"]


@pytest.mark.parametrize("outcome", [edits(4, "bar"), UNSURE])
async def test_another_begins_where_the_answer_is_of_no_use(outcome: Outcome) -> None:
    under, fills = UnderWay(), Fills()
    await asked(under, fills, 1, "x = ")
    second = await asked(under, fills, 2, "x = f")
    fills.begun[0].set_result(outcome)
    for _ in range(4):
        await asyncio.sleep(0)
    assert len(fills.begun) == 2
    fills.begun[1].set_result(edits(5, "oo"))
    assert [each.text for each in await second] == ["oo"]


async def test_another_place_ends_the_fill() -> None:
    under, fills = UnderWay(), Fills()
    first = await asked(under, fills, 1, "x = ")
    await asked(under, fills, 2, "y = ")
    assert fills.begun[0].cancelled()
    assert first.cancelled()
    assert len(fills.begun) == 2
    under.give_up(URI)
    await asyncio.sleep(0)
    assert fills.begun[1].cancelled()


async def test_what_nobody_wants_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "LINGER_S", 0.01)
    under, fills = UnderWay(), Fills()
    first = await asked(under, fills, 1, "x = ")
    first.cancel()
    for _ in range(500):
        if fills.begun[0].cancelled():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it goes on")


async def test_a_fill_begins_ahead_once_until_there_is_a_request() -> None:
    under, fills = UnderWay(), Fills()

    async def ahead(version: int, text: str) -> int:
        under.begin_ahead(*place(version, text), fills)
        await asyncio.sleep(0)
        return len(fills.begun)

    assert await ahead(1, "x") == 0, "nothing was asked for"
    first = await asked(under, fills, 1, "x = ")
    assert await ahead(2, "x = f") == 1, "the one under way may lead there"
    fills.begun[0].set_result(UNSURE)
    await first
    assert await ahead(3, "x = fo") == 2
    assert not under.expects(URI)
    assert await ahead(4, "y = ") == 2
    second = await asked(under, fills, 5, "x = fo")
    fills.begun[1].set_result(edits(6, "o"))
    assert [each.text for each in await second] == ["o"]
    assert under.expects(URI)
