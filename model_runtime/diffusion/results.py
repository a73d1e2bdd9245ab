"""What a fill yields to its caller: a `Step` after each denoise step, then a `Fill`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from model_runtime.protocol import Alternative, Token

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Step:
    """After one denoise step. `texts` and `tokens` decode the guess so far, and only when they are called."""

    step: int
    texts: Callable[[], tuple[str, ...]]
    tokens: Callable[[], tuple[Token, ...]] = tuple


@dataclass(frozen=True, kw_only=True)
class Fill:
    """The answer: one text per hole."""

    texts: tuple[str, ...]
    confidence: float  # in [0, 1]
    steps: int
    prefill_ms: float
    denoise_ms: float
    complete: bool  # False where it was cut short by "finish"
    alternatives: tuple[Alternative, ...] = ()  # best first
    sources: tuple[str, ...] = ()  # as in `protocol.Done`


# Sent into a fill. "finish": return the best so far; None: take another step.
Order = Literal["finish"] | None
# Yields after every step, and None during a step that takes long; closing it abandons the fill.
Filling = Generator[Step | None, Order, Fill]


def result(running: Generator[Any, Any, _Result]) -> _Result:
    """What a generator returns that nobody interrupts."""
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return stop.value
