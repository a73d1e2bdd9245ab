"""How long automatic requests wait and what they are answered, with a worker of a known speed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from lsp_server.session.completion import complete, typed
from lsp_server.session.session import Session
from lsp_server.text.document import Edit, Refusal
from model_runtime.protocol import Done, Draft, Infill, Refused

URI = "file:///a.py"


class Slow:
    """Takes its time, and can be told to do so."""

    def __init__(self) -> None:
        self.seconds, self.begun, self.cancelled = 0.0, 0, 0
        self.context: tuple[str, ...] = ()  # of the last request

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.begun, self.context = self.begun + 1, request.context
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Done(0, ("value",), 0.9, 1, 0, 0, 0)

    def feedback(self, **counts: int) -> None:
        pass


def session_with(worker: Any) -> Session:
    session = Session(lambda settings: worker)
    session.open(URI, 1, "python", "a = \n")
    return session


async def ask(session: Session, character: int, **how: Any) -> list[Edit] | Refusal:
    place = session.place(URI, 0, character)
    assert place
    outcome = await complete(session, *place, **how)
    if not isinstance(outcome, Refusal):
        session.count_shown(URI)  # as the handler does
    return outcome


def type_at(session: Session, version: int, character: int, text: str) -> None:
    session.change(URI, version, [(((0, character), (0, character)), text)])


async def test_a_burst_costs_the_worker_few_requests() -> None:
    worker = Slow()
    session = session_with(worker)
    worker.seconds = 0.3
    assert isinstance(await ask(session, 4), list)  # now its speed is known
    asked = []
    for count, character in enumerate("-" * 6):
        type_at(session, 2 + count, 4 + count, character)
        asked.append(asyncio.ensure_future(ask(session, 5 + count)))
        await asyncio.sleep(0.03)
    *early, last = [await each for each in asked]
    assert all(isinstance(each, Refusal) and each.reason == "superseded" for each in early)
    assert isinstance(last, list)
    assert worker.begun <= 4, "one before, and one at a time"


async def test_who_asks_does_not_wait() -> None:
    worker = Slow()
    session = session_with(worker)
    worker.seconds = 0.3
    await ask(session, 4)
    worker.seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        assert isinstance(await ask(session, 4, invoked=True), list)
        assert time.perf_counter() - started < 0.1


async def test_a_burst_that_follows_the_answer_is_one_request() -> None:
    worker = Slow()
    session = session_with(worker)
    worker.seconds = 0.2
    asked = [asyncio.ensure_future(ask(session, 4))]
    for count, character in enumerate("va"):
        await asyncio.sleep(0.01)
        type_at(session, 2 + count, 4 + count, character)
        asked.append(asyncio.ensure_future(ask(session, 5 + count)))
    *early, last = [await each for each in asked]
    assert all(isinstance(each, Refusal) and each.reason == "superseded" for each in early)
    assert isinstance(last, list)
    assert last[0].text == "lue"
    assert (worker.begun, worker.cancelled) == (1, 0)


async def test_what_is_typed_as_offered_does_not_wait_and_displaces_the_rest() -> None:
    worker = Slow()
    session = session_with(worker)
    await ask(session, 4)
    worker.seconds = 3600
    for count, character in enumerate("valu"):
        type_at(session, 2 + count, 4 + count, character)
        outcome = await asyncio.wait_for(ask(session, 5 + count), 1)
        assert isinstance(outcome, list)
        assert outcome[0].text == "value"[count + 1 :]
    assert worker.begun == 1


async def test_unasked_the_settings_of_the_folder_count() -> None:
    session = session_with(Slow())
    session.use_folders(["file:///"])
    session.configure("configuration", {}, {"file:///": {"confidenceThreshold": 0.95}})
    outcome = await ask(session, 4)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "confidence"


async def test_unasked_the_model_is_told_all_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Slow()
    session = session_with(worker)
    monkeypatch.setattr(session, "gather", lambda *place: ("what is known",))
    await ask(session, 4)
    assert worker.context == ("what is known",)


async def test_nothing_begins_ahead_where_it_is_off() -> None:
    worker = Slow()
    session = session_with(worker)
    await ask(session, 4)
    type_at(session, 2, 4, "1")  # another way
    session.configure("configuration", {"enable": False})
    await ask(session, 5)
    type_at(session, 3, 5, " ")
    typed(session, URI, 0, 5, " ")
    await asyncio.sleep(0)
    assert worker.begun == 1
