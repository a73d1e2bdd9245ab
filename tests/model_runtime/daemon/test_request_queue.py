"""What the queue refuses, and when, on a clock that the test sets; nothing runs here."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from model_runtime.daemon.request import OVERTIME_S
from model_runtime.daemon.request_queue import RequestQueue
from model_runtime.protocol import Done, Draft, ProtocolError, Refused
from tests.support.fakes import infill

SHARE = 8  # requests of one client in the queue


class Bench:
    """A queue and all that it replied."""

    def __init__(self, max_queue: int = 64) -> None:
        self.now = 0.0
        self.replies: list[tuple[Hashable, Draft | Done | Refused]] = []
        self.queue = RequestQueue(
            lambda client, message: self.replies.append((client, message)),
            max_queue=max_queue,
            max_share=SHARE,
            clock=lambda: self.now,
        )

    def submit(self, request_id: int, document: str = "a", client: int = 1, **more) -> None:
        self.queue.submit(client, infill(document, id=request_id, **more))

    def answers(self, client: int = 1) -> dict[int, Done | Refused]:
        return {m.id: m for c, m in self.replies if c == client and not isinstance(m, Draft)}

    def reason(self, request_id: int) -> str | None:
        answer = self.answers().get(request_id)
        return answer.reason if isinstance(answer, Refused) else None


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_one_client_cannot_fill_the_queue() -> None:
    bench = Bench(max_queue=10)
    for number in range(20):
        bench.submit(number, str(number))
    bench.submit(1, "x", client=2)
    assert {answer.reason for answer in bench.answers().values() if isinstance(answer, Refused)} == {"busy"}
    assert len(bench.answers()) == 20 - SHARE
    assert bench.answers(2) == {}


def test_a_full_queue_refuses_at_once_but_not_the_newer_version_of_what_waits() -> None:
    bench = Bench(max_queue=2)
    bench.submit(1, "a")
    bench.submit(2, "b")
    bench.submit(3, "c")
    assert bench.reason(3) == "busy"
    bench.submit(4, "b")
    assert set(bench.answers()) == {2, 3}


def test_an_id_that_is_still_open_is_a_protocol_error(bench: Bench) -> None:
    bench.submit(1)
    with pytest.raises(ProtocolError):
        bench.submit(1, "b")


def test_idle_time_counts_from_the_last_answer(bench: Bench) -> None:
    bench.now = 5.0
    assert bench.queue.idle_s == 5.0
    bench.submit(1)
    bench.now = 9.0
    assert bench.queue.idle_s == 0.0
    bench.queue.cancel(1, 1)
    bench.now = 10.0
    assert bench.queue.idle_s == 1.0


@pytest.mark.parametrize(
    ("steps", "ready", "refused_at", "reason"),
    [
        (None, False, 2.0, "loading"),  # None: it still waits
        (None, True, 2.0, "deadline"),
        (0, True, 2.0, "deadline"),
        (1, True, 2.0 + OVERTIME_S, "deadline"),
    ],
)
def test_when_a_late_request_is_refused(
    bench: Bench, steps: int | None, ready: bool, refused_at: float, reason: str
) -> None:
    bench.queue.set_ready(ready)
    bench.submit(1, deadline_ms=2000)
    if steps is not None:
        request = bench.queue.next()
        assert request is not None
        for _ in range(steps):
            assert bench.queue.step_ended(request, None)
    bench.now = refused_at - 0.5
    assert bench.queue.expire() == 0.5
    assert bench.answers() == {}
    bench.now = refused_at
    assert bench.queue.expire() is None
    assert bench.reason(1) == reason


def test_a_request_that_is_late_is_never_next(bench: Bench) -> None:
    bench.queue.set_ready(True)
    bench.submit(1, "a", deadline_ms=100)
    bench.submit(2, "b")
    bench.now = 0.1
    request = bench.queue.next()
    assert request is not None
    assert request.infill.id == 2
    assert bench.reason(1) == "deadline"
    assert bench.queue.next() is None


def test_nothing_follows_an_answer(bench: Bench) -> None:
    bench.submit(1)
    request = bench.queue.next()
    assert request is not None
    bench.queue.cancel(1, 1)
    assert not bench.queue.step_ended(request, Draft(1, 1, ("x",)))
    bench.queue.answer(request, Refused(1, "failed"))
    assert bench.replies == [(1, Refused(1, "cancelled"))]
    assert bench.queue.metrics.refused == {"cancelled": 1}
