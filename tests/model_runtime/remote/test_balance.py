"""Which of several servers is asked, and when a failed one is asked again. The test sets the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from model_runtime.remote import balance
from model_runtime.remote.balance import Servers
from model_runtime.remote.faults import Fault


class World:
    """What each server does when it is asked, and who was asked."""

    def __init__(self, *urls: str) -> None:
        self.now = 100.0
        self.faults: dict[str, Fault] = {}
        self.met: list[str] = []
        self.asked: list[str] = []
        self.servers: Servers[str] = Servers(urls, self.meet, lambda: self.now)

    async def meet(self, url: str) -> str:
        self.met.append(url)
        if fault := self.faults.get(url):
            raise fault
        return f"known {url}"

    async def use(self, url: str, known: str) -> str:
        assert known == f"known {url}"
        self.asked.append(url)
        if fault := self.faults.get(url):
            raise fault
        return url

    async def ask(self) -> str:
        return await self.servers.ask(self.use)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "PAUSE_S", 0.0)


def down(message: str = "down", **more: object) -> Fault:
    return Fault(message, **{"again": True, **more})  # type: ignore[arg-type]


async def test_a_server_is_met_once_before_its_first_request() -> None:
    world = World("a")
    assert [await world.ask(), await world.ask()] == ["a", "a"]
    assert (world.met, world.asked) == (["a"], ["a", "a"])


async def test_requests_go_where_the_fewest_are_outstanding() -> None:
    world, release = World("a", "b", "c"), asyncio.Event()

    async def slow(url: str, known: str) -> str:
        await release.wait()
        return url

    running = [asyncio.create_task(world.servers.ask(slow)) for _ in range(7)]
    await asyncio.sleep(0.01)
    assert set(world.servers.states().values()) == {"ok, 3 running", "ok, 2 running"}
    release.set()
    answers = await asyncio.gather(*running)
    assert [answers.count(url) for url in "abc"] == [3, 2, 2]
    assert set(world.servers.states().values()) == {"ok, 0 running"}


async def test_a_failing_server_is_left_alone_and_tried_out_beside_the_others() -> None:
    world = World("a", "b")
    await world.servers.meet_all()
    world.faults["a"] = down()
    assert await world.ask() == "b"
    assert world.asked == ["a", "b"]
    for _ in range(20):
        world.now += 0.01
        assert await world.ask() == "b"
    await asyncio.sleep(0.01)
    assert world.asked.count("a") == 1, "no request of the user's was spent on it again"
    assert world.met.count("a") == 2, "the first rest is over at once, the second is not"
    world.now += 2
    del world.faults["a"]
    assert await world.ask() == "b"
    await asyncio.sleep(0.01)
    assert await world.ask() == "a"


async def test_rests_grow_and_end() -> None:
    world = World("a")
    world.faults["a"] = down()
    tries: list[int] = []
    for _ in range(120):
        before = len(world.met)
        with pytest.raises(Fault, match="down"):
            await world.ask()
        tries.append(len(world.met) - before)
        world.now += 1
    assert tries[0] == 2, "once more, at once"
    assert 5 <= sum(tries) <= 12
    del world.faults["a"]
    world.now += balance.LONGEST_REST_S
    assert await world.ask() == "a"
    assert world.servers.states() == {"a": "ok, 0 running"}


async def test_requests_that_fail_together_count_as_one_failure() -> None:
    world = World("a")
    await world.servers.meet_all()
    world.faults["a"] = down()
    results = await asyncio.gather(*(world.ask() for _ in range(8)), return_exceptions=True)
    assert all(isinstance(each, Fault) for each in results)
    world.now += 5
    del world.faults["a"]
    assert await world.ask() == "a"


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (down("busy", after_s=5.0, status=429), 1),  # it has said when
        (Fault("refused", status=401), 1),
        (Fault("too long", status=400), 1),
        (down("cut"), 2),
    ],
)
async def test_how_often_the_only_server_is_tried(fault: Fault, tries: int) -> None:
    world = World("a")
    await world.servers.meet_all()
    world.faults["a"] = fault
    with pytest.raises(Fault, match=str(fault)):
        await world.ask()
    assert len(world.asked) == tries


async def test_a_request_that_is_wrong_itself_is_no_servers_fault() -> None:
    world = World("a", "b")
    await world.servers.meet_all()
    world.faults["a"] = Fault("too long", status=400)
    with pytest.raises(Fault, match="too long"):
        await world.ask()
    assert world.asked == ["a"]
    assert world.servers.states()["a"] == "ok, 0 running"


async def test_a_server_is_given_the_rest_it_asks_for_within_reason() -> None:
    for asked_s, rests_s in ((5.0, 5.0), (86_400.0, balance.LONGEST_REST_S)):
        world = World("a")
        world.faults["a"] = down("busy", after_s=asked_s, status=429)
        with pytest.raises(Fault):
            await world.ask()
        del world.faults["a"]
        world.now += rests_s - 0.1
        with pytest.raises(Fault, match="busy"):
            await world.ask()
        world.now += 0.2
        assert await world.ask() == "a"


async def test_the_fault_that_is_told_is_of_the_server_that_works_otherwise() -> None:
    world = World("gone", "b")
    world.faults["gone"] = down("gone is not there")
    await world.servers.meet_all()
    world.faults["b"] = down("b has failed")
    for _ in range(5):
        with pytest.raises(Fault, match="b has failed"):
            await world.ask()
        await asyncio.sleep(0)


async def test_none_can_be_used() -> None:
    world = World("a", "b")
    world.faults = {"a": Fault("the wrong model"), "b": down()}
    with pytest.raises(Fault, match="the wrong model"):
        await world.servers.meet_all()
    states: Callable[[], dict[str, str]] = world.servers.states
    assert states() == {"a": "the wrong model", "b": "down"}
