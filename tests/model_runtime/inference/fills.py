"""A request, an engine for it with random weights, and how to drive a fill."""

from __future__ import annotations

from model_runtime.inference.engine import Engine, Fill
from model_runtime.protocol import Fixed, Infill, Slot
from tests.support import tiny

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
