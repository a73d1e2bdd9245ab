"""One fill end to end inside the worker, on a tiny random model: mechanics, not quality."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from model_runtime import length
from model_runtime.denoiser import DenoiseError, Proposal
from model_runtime.engine import Engine, Fill
from model_runtime.faults import Unfillable
from model_runtime.profiles import EMBEDDED
from model_runtime.protocol import Fixed, Infill, Slot
from tests import tiny

REQUEST = Infill(
    id=1, document="d", prefix="def f():\n", canvas=(Fixed("    x = "), Slot(8), Fixed("\n")), seed=3
)


def engine() -> Engine:
    return Engine("tiny", tiny.denoiser(), tiny.tokens())


def run(fill, finish_after: int | None = None) -> tuple[Fill, int]:
    """Drive to the end; (answer, steps seen)."""
    seen = 0
    command = None
    while True:
        try:
            fill.send(command)
        except StopIteration as stop:
            return stop.value, seen
        seen += 1
        command = "finish" if finish_after == seen else None


def test_a_fill_ends_with_one_text_per_hole() -> None:
    answer, seen = run(engine().fill(REQUEST))
    assert answer.complete
    assert seen == answer.steps <= EMBEDDED.policy.max_steps
    assert len(answer.texts) == 1
    assert 0 <= answer.confidence <= 1


def test_a_fill_is_repeatable_for_a_seed() -> None:
    assert run(engine().fill(REQUEST))[0].texts == run(engine().fill(REQUEST))[0].texts


def test_finish_returns_the_best_so_far() -> None:
    answer, seen = run(engine().fill(REQUEST), finish_after=2)
    assert (answer.steps, seen, answer.complete) == (2, 2, False)


def test_drafts_cost_nothing_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    target = engine()
    decoded: list[Sequence[int]] = []
    monkeypatch.setattr(target._tokens, "decode", lambda ids: decoded.append(ids) or "")
    steps = target.fill(REQUEST)
    step = next(steps)
    assert decoded == []
    assert step.texts() == ("",)
    assert len(decoded) == 1
    steps.close()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Infill(id=1, document="d", prefix="", canvas=(Fixed("x"),)), "invalid"),
        (Infill(id=1, document="d", prefix="", canvas=(Slot(47), Fixed("x"), Slot(47))), "invalid"),
    ],
)
def test_an_impossible_request_is_unfillable(request_: Infill, reason: str) -> None:
    with pytest.raises(Unfillable) as caught:
        next(engine().fill(request_))
    assert caught.value.reason == reason


@pytest.mark.parametrize("error", [DenoiseError("not numbers"), MemoryError()])
def test_a_failing_model_is_unfillable(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(prompt):
        raise error

    target = engine()
    monkeypatch.setattr(target._denoiser, "prefill", fail)
    with pytest.raises(Unfillable) as caught:
        next(target.fill(REQUEST))
    assert caught.value.reason == "failed"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([8, 9, 3, 3], (2, True)), ([3, 8], (0, True)), ([8, 9], (2, False)), ([], (0, False))],
)
def test_the_first_filler_ends_a_hole(ids: list[int], expected: tuple[int, bool]) -> None:
    assert length.text_length(ids, gap=3) == expected


def test_confidence_counts_the_text_and_its_end_only() -> None:
    target = engine()
    layout = target._tokens.lay(REQUEST)
    certain = Proposal(1, [[9, 3, 3, 3, 3, 3, 3, 3, 3]], [[0.0, 0.0, -9, -9, -9, -9, -9, -9, -9]], True)
    assert target._confidence(layout, certain) == 1.0
