"""An engine without a model, for measuring what is around it: `--engine benchmarks.stand_in:load_engine`.

A fill takes a few steps of a millisecond each and offers a number, which parses almost anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from model_runtime.diffusion.results import Fill, Filling, Step
from model_runtime.protocol import Calibrated, Choice, Infill, Slot
from model_runtime.retrieval.library import Library

STEPS = 4
STEP_S = 0.001


class Engine:
    name = "stand-in"
    device = "cpu"
    dtype = ""
    calibrated: Calibrated = "none"

    def servers(self) -> dict[str, str]:
        return {}

    def use(self, library: Library) -> None:
        pass

    def idle(self) -> None:
        pass

    def fill(self, request: Infill) -> Filling:
        texts = tuple("1" for piece in request.canvas if isinstance(piece, Slot))
        for step in range(1, STEPS + 1):
            time.sleep(STEP_S)
            if (yield Step(step, lambda: texts)) == "finish":
                break
        return Fill(
            texts=texts,
            confidence=0.9,
            steps=STEPS,
            prefill_ms=0.0,
            denoise_ms=1000 * STEPS * STEP_S,
            complete=True,
            sources=("denoiser",),
        )


def load_engine(choice: Choice, on_progress: Callable[[float], None]) -> Engine:
    return Engine()
