"""In which order requests are served, without anything that serves them."""

from __future__ import annotations

import pytest

from model_runtime.daemon.fairness import PROMOTE_S, Turns
from model_runtime.daemon.request import Request
from model_runtime.protocol import Priority
from tests.support.fakes import infill


def waiting(client: int, received: float, priority: Priority) -> Request:
    return Request(client, infill(priority=priority), received, None)


def test_waiting_makes_up_for_rank() -> None:
    turns, rewrite = Turns(), waiting(1, 0.0, "rewrite")
    for now in (0.0, 1.0, 2.0, 3.0):
        newer = waiting(2, now, "invoked")
        assert turns.next([rewrite, newer], now) is newer
    assert turns.next([rewrite, waiting(2, 4.0, "invoked")], 4.0) is rewrite


@pytest.mark.parametrize(
    ("requests", "now", "order"),
    [
        # (client, received, priority)
        ([(1, 0.0, "automatic"), (1, 0.1, "invoked"), (1, 0.2, "rewrite")], 0.2, [1, 0, 2]),
        ([(1, 0.0, "automatic"), (1, 0.1, "automatic"), (2, 0.2, "automatic")], 0.2, [0, 2, 1]),
        ([(1, 0.1, "automatic"), (1, 0.0, "automatic")], 0.2, [1, 0]),
        ([(1, 0.0, "automatic"), (2, 2.0, "invoked")], PROMOTE_S, [0, 1]),
        ([(1, 0.0, "automatic"), (2, 2.0, "invoked")], PROMOTE_S - 0.1, [1, 0]),
    ],
    ids=["rank", "clients take turns", "the oldest", "promoted", "not yet"],
)
def test_order(requests: list[tuple[int, float, Priority]], now: float, order: list[int]) -> None:
    turns, left = Turns(), [waiting(*request) for request in requests]
    numbers = {id(request): number for number, request in enumerate(left)}
    served = []
    while (request := turns.next(left, now)) is not None:
        left.remove(request)
        served.append(numbers[id(request)])
    assert served == order


def test_a_client_that_was_forgotten_is_a_new_one() -> None:
    turns = Turns()
    assert turns.next([waiting(1, 0.0, "automatic")], 0.0)
    pair = [waiting(1, 0.0, "automatic"), waiting(2, 1.0, "automatic")]
    turns.forget(1)
    assert turns.next(pair, 1.0) is pair[0]
