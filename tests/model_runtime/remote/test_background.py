"""The event loop beside the engine's thread: a wait can be given up, and the loop ends with its object."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator

import pytest

from model_runtime.remote.background import Background


async def value(after_s: float) -> int:
    await asyncio.sleep(after_s)
    return 7


async def failing() -> int:
    raise ValueError("no")


def test_waiting_yields_until_there_is_a_result() -> None:
    results: list[int] = []

    def caller() -> Iterator[None]:
        results.append((yield from Background().awaited(value(0.1))))

    assert len(list(caller())) >= 2
    assert results == [7]
    assert Background().run(value(0)) == 7


def test_a_failure_is_the_waiters() -> None:
    with pytest.raises(ValueError, match="no"):
        list(Background().awaited(failing()))


def test_closing_cancels_the_work() -> None:
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    waiting = Background().awaited(work())
    next(waiting)
    waiting.close()
    assert cancelled.wait(5)


def test_its_thread_ends_with_it_and_so_does_the_work() -> None:
    """This happens when the model is unloaded."""
    before, ended = set(threading.enumerate()), threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    background = Background()
    background.start(work())
    (thread,) = set(threading.enumerate()) - before
    time.sleep(0.05)
    del background
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
    assert ended.is_set()
