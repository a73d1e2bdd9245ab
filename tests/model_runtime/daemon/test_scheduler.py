"""Each request gets exactly one answer, in the right order, whatever happens meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace

import pytest

from model_runtime.daemon import request
from model_runtime.daemon.request_queue import RequestQueue
from model_runtime.daemon.scheduler import Scheduler
from model_runtime.diffusion.results import Filling
from model_runtime.inference.engine import Engine as MaskedEngine
from model_runtime.loading import infiller_model
from model_runtime.network import compilation
from model_runtime.prompting.infillers import OPEN_DCODER
from model_runtime.protocol import Choice, Done, Draft, Fixed, Infill, Refused, Slot
from tests.support import tiny_infiller
from tests.support.fakes import Engine, infill

pytestmark = pytest.mark.timeout(20)
SHARE = 8  # requests of one client in the queue


class Bench:
    """A queue, the scheduler that serves it in a thread, and all replies."""

    def __init__(self, max_queue: int = 64) -> None:
        self.replies: list[tuple[Hashable, Draft | Done | Refused]] = []
        self.engine = Engine()
        self.queue = RequestQueue(
            lambda client, message: self.replies.append((client, message)),
            max_queue=max_queue,
            max_share=SHARE,
        )
        self.scheduler = Scheduler(self.queue)
        self.thread = threading.Thread(target=self.scheduler.run, args=(self.engine,), daemon=True)

    def submit(self, request_id: int, document: str = "a", plan: str = "", client: int = 1, **more) -> None:
        self.queue.submit(client, infill(document, plan, id=request_id, **more))

    def start(self) -> Bench:
        self.thread.start()
        return self

    def answers(self, client: int = 1) -> dict[int, Done | Refused]:
        found = [m for c, m in self.replies if c == client and not isinstance(m, Draft)]
        assert len({m.id for m in found}) == len(found), "answered twice"
        return {m.id: m for m in found}

    def outcome(self, request_id: int, client: int = 1) -> str:
        wait_for(lambda: request_id in self.answers(client))
        answer = self.answers(client)[request_id]
        return answer.reason if isinstance(answer, Refused) else "done"


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.002)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.queue.close("stopping", "")
    if bench.thread.ident:
        bench.thread.join(5)
        assert not bench.thread.is_alive()
    assert sorted(bench.engine.freed) == sorted(bench.engine.started)


def test_fills_in_order_one_text_per_slot(bench: Bench) -> None:
    for number, document in enumerate("abc"):
        bench.submit(number, document, canvas=(Slot(1), Slot(2)))
    bench.start()
    assert [bench.outcome(number) for number in range(3)] == ["done"] * 3
    assert bench.engine.started == [0, 1, 2]
    done = bench.answers()[1]
    assert isinstance(done, Done)
    assert (done.texts, done.steps, done.complete) == (("b", "b"), 1, True)
    metrics = bench.queue.metrics
    assert (metrics.requests, metrics.served, bench.queue.queued) == (3, 3, 0)
    total = metrics.percentiles()["total"]
    assert 0 < total.p50 <= total.p90 <= total.p99


def test_drafts_come_in_step_order_and_only_when_asked_for(bench: Bench) -> None:
    bench.submit(1, "a", "steps=3", drafts=True)
    bench.submit(2, "b", "steps=3")
    bench.start()
    bench.outcome(2)
    assert [(m.id, m.step) for _, m in bench.replies if isinstance(m, Draft)] == [(1, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize(("wanted", "pieces"), [(False, 0), (True, 1)])
def test_what_is_on_the_canvas_comes_only_when_asked_for(bench: Bench, wanted: bool, pieces: int) -> None:
    bench.submit(1, "a", drafts=True, tokens=wanted)
    bench.start()
    bench.outcome(1)
    (draft,) = [m for _, m in bench.replies if isinstance(m, Draft)]
    assert len(draft.tokens) == pieces


def test_the_newest_request_for_a_document_of_a_client_wins(bench: Bench) -> None:
    bench.submit(1, "a")
    bench.submit(2, "b")
    bench.submit(3, "a", client=2)
    bench.submit(4, "a")
    assert bench.outcome(1) == "superseded"  # at once: nothing runs yet
    bench.start()
    assert [bench.outcome(2), bench.outcome(3, client=2), bench.outcome(4)] == ["done"] * 3


@pytest.mark.parametrize("how", ["cancel", "supersede", "drop", "close"])
def test_a_running_fill_is_left_between_two_steps(bench: Bench, how: str) -> None:
    bench.start()
    bench.submit(1, "a", "steps=10000 wait=0.01", drafts=True)
    wait_for(lambda: bench.replies)
    actions = {
        "cancel": lambda: bench.queue.cancel(1, 1),
        "supersede": lambda: bench.submit(2, "a"),
        "drop": lambda: bench.queue.drop_client(1),
        "close": lambda: bench.queue.close("stopping", ""),
    }
    actions[how]()
    assert bench.outcome(1) == {"supersede": "superseded", "close": "stopping"}.get(how, "cancelled")
    wait_for(lambda: bench.engine.freed[:1] == [1])
    last = [message for _, message in bench.replies if message.id == 1][-1]
    assert isinstance(last, Refused), "nothing follows the answer"
    if how == "supersede":
        assert bench.outcome(2) == "done"


def test_cancelling_what_is_queued_unknown_or_answered(bench: Bench) -> None:
    bench.submit(1)
    bench.queue.cancel(1, 1)
    bench.queue.cancel(1, 99)
    bench.queue.cancel(2, 1)
    assert bench.outcome(1) == "cancelled"
    bench.start()
    bench.submit(2)
    assert bench.outcome(2) == "done"
    bench.queue.cancel(1, 2)
    assert bench.engine.started == [2]
    assert bench.outcome(2) == "done"


def test_at_the_deadline_the_best_so_far_is_the_answer(bench: Bench) -> None:
    bench.start()
    bench.submit(1, "a", "steps=10000 wait=0.01", deadline_ms=100)
    assert bench.outcome(1) == "done"
    done = bench.answers()[1]
    assert isinstance(done, Done)
    assert not done.complete
    assert 1 <= done.steps <= 15


def test_out_of_time_before_the_first_step(bench: Bench) -> None:
    bench.start()
    bench.submit(1, "a", "wait=0.3", deadline_ms=20)
    bench.submit(2, "b", deadline_ms=40)
    left = bench.queue.expire()
    assert left is not None
    assert 0 < left <= 0.02
    time.sleep(0.05)
    assert bench.queue.expire() is None
    assert set(bench.answers()) == {1, 2}, "refused at the deadline, not after the step"
    assert bench.outcome(1) == bench.outcome(2) == "deadline"


def test_a_late_request_is_not_started_even_if_nobody_called_expire(bench: Bench) -> None:
    bench.submit(1, "a", deadline_ms=0)
    bench.start()
    assert bench.outcome(1) == "deadline"
    assert bench.engine.started == []


def test_while_the_model_loads_requests_wait_until_their_deadline(bench: Bench) -> None:
    bench.submit(1, "a", deadline_ms=10)
    bench.submit(2, "b", deadline_ms=5000)
    bench.submit(3, "c")
    time.sleep(0.02)
    bench.queue.expire()
    assert bench.outcome(1) == "loading"
    bench.start()
    assert bench.outcome(2) == bench.outcome(3) == "done"


def test_a_step_that_does_not_come_back_is_refused_some_time_after_the_deadline(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request, "OVERTIME_S", 0.1)
    bench.start()
    bench.submit(1, "a", "steps=2 wait=0.4", deadline_ms=450, drafts=True)
    wait_for(lambda: bench.replies)  # in its second step
    assert bench.scheduler.stuck_s >= 0
    time.sleep(bench.queue.expire() or 0)
    bench.queue.expire()
    assert bench.outcome(1) == "deadline"


def test_a_compile_is_no_hang(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    compiling = compilation.Compilation()
    monkeypatch.setattr(compilation, "CURRENT", compiling)
    bench.start()
    bench.submit(1, "a", "steps=1 wait=0.6")
    wait_for(lambda: bench.scheduler.stuck_s > 0.05)
    compiling.began()
    assert bench.scheduler.stuck_s == 0
    compiling.finished()
    assert bench.scheduler.stuck_s < 0.05, "counted from its end"
    assert bench.outcome(1) == "done"


@pytest.mark.parametrize(
    ("submitted", "served"),
    [
        # (id, client, priority), in the order of their arrival
        ([(1, 1, "automatic"), (2, 1, "automatic"), (3, 2, "automatic"), (4, 3, "automatic")], [1, 3, 4, 2]),
        ([(1, 1, "rewrite"), (2, 1, "automatic"), (3, 2, "invoked")], [3, 2, 1]),
        ([(1, 1, "automatic"), (2, 1, "automatic"), (3, 2, "rewrite"), (4, 1, "invoked")], [4, 1, 2, 3]),
    ],
    ids=["clients take turns", "rank counts first", "rank before turns"],
)
def test_whose_turn_it_is(bench: Bench, submitted: list, served: list[int]) -> None:
    for number, client, priority in submitted:
        bench.submit(number, f"doc{number}", client=client, priority=priority)
    bench.start()
    wait_for(lambda: len(bench.engine.freed) == len(submitted))
    assert bench.engine.started == served


def test_completions_pass_a_running_rewrite_and_it_ends_all_the_same(bench: Bench) -> None:
    bench.start()
    bench.submit(1, "a", "steps=20 wait=0.01", priority="rewrite", drafts=True)
    wait_for(lambda: bench.replies)
    for number in range(2, 8):
        bench.submit(number, f"doc{number}", "steps=2 wait=0.005")
    bench.submit(8, "z", priority="rewrite", client=2)
    assert all(bench.outcome(number) == "done" for number in range(2, 8))
    assert 1 not in bench.answers()
    assert bench.outcome(1) == "done"
    assert bench.engine.started[-1] == 8, "no rewrite passes a rewrite"
    parts = bench.queue.metrics.percentiles()
    assert parts["queue"].p99 >= 50, "the pauses of the first"


def test_a_rewrite_that_is_cancelled_while_others_pass(bench: Bench) -> None:
    bench.start()
    bench.submit(1, "a", "steps=100000 wait=0.002", priority="rewrite", drafts=True)
    wait_for(lambda: bench.replies)
    bench.submit(2, "b", "steps=20 wait=0.01", drafts=True)
    wait_for(lambda: any(message.id == 2 for _, message in bench.replies))
    bench.queue.cancel(1, 1)
    assert (bench.outcome(1), bench.outcome(2)) == ("cancelled", "done")
    wait_for(lambda: 1 in bench.engine.freed)


def test_an_idle_engine_is_let_go(bench: Bench) -> None:
    bench.thread = threading.Thread(target=bench.scheduler.run, args=(bench.engine, 0.1), daemon=True)
    bench.start()
    bench.submit(1)
    assert bench.outcome(1) == "done"
    bench.thread.join(2)
    assert not bench.thread.is_alive()
    bench.submit(2, deadline_ms=0)
    assert bench.queue.wait()
    assert not bench.queue.closed
    bench.queue.expire()
    assert bench.outcome(2) == "loading"
    bench.queue.close("stopping", "")
    assert bench.queue.wait()
    assert bench.queue.closed


@pytest.mark.parametrize(
    ("plan", "reason", "message"),
    [
        ("refuse=too-long", "invalid", "too-long"),
        ("raise=boom", "failed", "the fill failed (RuntimeError); the worker's log says where"),
        ("steps=x", "failed", "the fill failed (ValueError); the worker's log says where"),
        ("nonsense", "failed", "the fill failed (ValueError); the worker's log says where"),
    ],
)
def test_a_fill_that_fails_is_refused_and_the_next_one_runs(
    bench: Bench, plan: str, reason: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start()
    bench.submit(1, "a", plan)
    bench.submit(2, "b")
    assert bench.outcome(1) == reason
    assert bench.answers()[1] == Refused(1, reason, message)  # type: ignore[arg-type]
    assert bench.outcome(2) == "done"
    assert "boom" not in caplog.text, "a message may quote the user's code"


def test_an_engine_that_breaks_its_contract_is_survived(bench: Bench) -> None:
    real = bench.engine.fill

    def fill(request):
        if request.document == "returns nothing":
            return iter(())
        return real(request)

    bench.engine.fill = fill  # type: ignore[method-assign]
    bench.start()
    bench.submit(1, "returns nothing")
    bench.submit(2)
    assert (bench.outcome(1), bench.outcome(2)) == ("failed", "done")


def test_a_fill_without_a_step_is_answered_and_timed(bench: Bench) -> None:
    real = bench.engine.fill

    def fill(request):
        filled = yield from real(request)
        return replace(filled, steps=0)

    def at_once(request):
        steps = fill(request)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value
        yield

    bench.engine.fill = at_once  # type: ignore[method-assign]
    bench.start()
    bench.submit(1)
    assert bench.outcome(1) == "done"
    answer = bench.answers()[1]
    assert isinstance(answer, Done)
    assert answer.steps == 0
    assert 0 <= answer.queue_ms < 60_000


def test_a_closed_scheduler_refuses_with_the_first_reason(bench: Bench) -> None:
    bench.submit(1)
    bench.queue.close("failed", "no model")
    bench.submit(2)
    bench.queue.close("stopping", "")
    bench.submit(3)
    assert [bench.answers()[n] for n in (1, 2, 3)] == [Refused(n, "failed", "no model") for n in (1, 2, 3)]
    bench.scheduler.run(bench.engine)  # returns


def test_exactly_one_answer_under_random_traffic() -> None:
    """Three threads submit, cancel, expire and vanish; a fourth runs the fills."""
    bench = Bench(max_queue=8).start()
    plans = ["", "steps=3 wait=0.001", "raise=x", "refuse=y", "steps=50 wait=0.0005"]

    def traffic(client: int) -> None:
        rng = random.Random(client)
        for request_id in range(150):
            deadline = rng.choice([None, 0, 5, 50])
            bench.submit(request_id, rng.choice("abcd"), rng.choice(plans), client, deadline_ms=deadline)
            if rng.random() < 0.3:
                bench.queue.cancel(client, rng.randrange(request_id + 1))
            if rng.random() < 0.02:
                bench.queue.drop_client(client)
            bench.queue.expire()
            time.sleep(rng.random() * 0.004)

    threads = [threading.Thread(target=traffic, args=(client,)) for client in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: bench.queue.idle_s > 0)
    bench.queue.close("stopping", "")
    bench.thread.join(5)
    assert bench.queue.metrics.requests == 450
    assert bench.queue.metrics.served + sum(bench.queue.metrics.refused.values()) == 450
    count = Counter((client, m.id) for client, m in bench.replies if not isinstance(m, Draft))
    assert count == Counter((client, number) for client in range(3) for number in range(150))
    assert sorted(bench.engine.freed) == sorted(bench.engine.started)


def test_the_engine_hears_of_every_pause(bench: Bench) -> None:
    bench.start()
    for i in range(1, 4):
        bench.submit(i)
        assert bench.outcome(i) == "done"
        wait_for(lambda i=i: bench.engine.pauses > i)


class Interrupted:
    """An engine to which something happens after the first step of a fill."""

    def __init__(self, inner: MaskedEngine, then: Callable[[], None]) -> None:
        self._inner, self._then = inner, then
        self.idle = inner.idle

    def fill(self, request: Infill) -> Filling:
        steps = self._inner.fill(request)
        step = next(steps)
        self._then()
        while True:
            try:
                step = steps.send((yield step))
            except StopIteration as stop:
                return stop.value
            except GeneratorExit:
                steps.close()
                raise


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> MaskedEngine:
    folder = tiny_infiller.write(tmp_path_factory.mktemp("model"), OPEN_DCODER, tied=True)
    loaded = infiller_model.load(Choice(model=str(folder), device="cpu"))
    return MaskedEngine("tiny", loaded.denoiser, loaded.tokens)


@pytest.mark.timeout(60)
def test_a_masked_diffusion_fill_is_cancelled_or_ends_at_its_deadline(masked: MaskedEngine) -> None:
    """Between two steps. What is decided by then is the answer, and the fill after it is as good as ever."""
    now: list[float] = [0.0]
    replies: list[Draft | Done | Refused] = []
    queue = RequestQueue(lambda _, message: replies.append(message), clock=lambda: now[-1])
    events: list[Callable[[], None]] = [lambda: None, lambda: queue.cancel(1, 2), lambda: now.append(9.0)]

    def happens() -> None:
        (events.pop(0) if events else lambda: None)()

    scheduler, engine = Scheduler(queue), Interrupted(masked, happens)
    canvas = (Fixed("y = "), Slot(8), Fixed("\n"))
    for number in range(1, 5):
        queue.submit(1, infill(f"document {number}", id=number, canvas=canvas, deadline_ms=5000))
        taken = queue.next()
        assert taken
        scheduler._serve(engine, taken)
    whole, cancelled, late, again = replies
    assert isinstance(cancelled, Refused)
    assert cancelled.reason == "cancelled"
    assert isinstance(whole, Done)
    assert isinstance(late, Done)
    assert isinstance(again, Done)
    assert whole.complete
    assert (late.complete, late.steps) == (False, 1)
    assert whole.steps == again.steps > 1
    assert again.texts == whole.texts
