"""An engine without a model, for measuring what is around it: `--engine benchmarks.stand_in:load_engine`.

A fill takes a few steps of a millisecond each and offers a number, which parses almost anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from model_runtime.protocol import Alternative, Choice, Infill, Slot, Token
from model_runtime.scheduler import Order

STEPS = 4
STEP_S = 0.001


@dataclass(frozen=True)
class Step:
    step: int
    texts: Callable[[], tuple[str, ...]]
    tokens: Callable[[], tuple[Token, ...]] = tuple


@dataclass(frozen=True)
class Fill:
    texts: tuple[str, ...]
    steps: int
    confidence: float = 0.9
    prefill_ms: float = 0.0
    denoise_ms: float = 1000 * STEPS * STEP_S
    complete: bool = True
    alternatives: tuple[Alternative, ...] = ()
    sources: tuple[str, ...] = ("denoiser",)


class Engine:
    name = "stand-in"
    device = "cpu"

    def servers(self) -> dict[str, str]:
        return {}

    def idle(self) -> None:
        pass

    def fill(self, request: Infill) -> Generator[Step, Order, Fill]:
        texts = tuple("1" for piece in request.canvas if isinstance(piece, Slot))
        for step in range(1, STEPS + 1):
            time.sleep(STEP_S)
            if (yield Step(step, lambda: texts)) == "finish":
                break
        return Fill(texts, STEPS)


def load_engine(choice: Choice, on_progress: Callable[[float], None]) -> Engine:
    return Engine()
