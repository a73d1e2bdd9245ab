"""An engine without a model, and requests to it, for the tests of scheduler, daemon and client.

The request's `prefix` is a plan for the fill: `steps=5 wait=0.02 raise=boom refuse=too-long text=x`, or
`hang=1` for a native call that neither returns nor lets another thread run.
The model's name says how loading goes: `fake`, `slow:0.5` (seconds), `broken`, `buggy`.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.diffusion.results import Fill, Filling, Step
from model_runtime.protocol import Calibrated, Choice, Infill, Slot, Token
from model_runtime.retrieval.library import Library

PIECE = Token("x", "?", "accepted", -0.1)


@dataclass
class Engine:
    device: str = "cpu"
    dtype: str = "float32"
    name: str = "fake"
    calibrated: Calibrated = "none"
    started: list[int] = field(default_factory=list)  # request ids
    freed: list[int] = field(default_factory=list)
    steps: int = 0  # over all fills
    pauses: int = 0  # calls of `idle`

    def servers(self) -> dict[str, str]:
        return {}

    def use(self, library: Library) -> None:
        pass

    def idle(self) -> None:
        self.pauses += 1

    def fill(self, request: Infill) -> Filling:
        plan = dict(word.split("=", 1) for word in request.prefix.split())
        if "refuse" in plan:
            raise Unfillable("invalid", plan["refuse"])
        wanted = int(plan.get("steps", 1))
        wait = float(plan.get("wait", 0))
        self.started.append(request.id)
        if "hang" in plan:
            ctypes.PyDLL(None).sleep(3600)  # PyDLL keeps the GIL
        try:
            for step in itertools.count(1):
                time.sleep(wait)
                self.steps += 1
                if "raise" in plan:
                    raise RuntimeError(plan["raise"])
                order = yield Step(step, lambda step=step: (f"draft {step}",), lambda: (PIECE,))
                if order == "finish" or step == wanted:
                    text = plan.get("text", request.document)
                    slots = sum(isinstance(part, Slot) for part in request.canvas)
                    return Fill(
                        texts=(text,) * slots,
                        confidence=0.5,
                        steps=step,
                        prefill_ms=1.0,
                        denoise_ms=2.0,
                        complete=step == wanted,
                    )
        finally:
            self.freed.append(request.id)
        raise AssertionError


def load_engine(choice: Choice, on_progress: Callable[[float], None]) -> Engine:
    kind, _, seconds = choice.model.partition(":")
    if kind == "slow":
        on_progress(0.25)
        time.sleep(float(seconds))
    elif kind == "broken":
        raise ModelError("there is no such model")
    elif kind == "buggy":
        raise ZeroDivisionError("division by zero")
    return Engine(name=choice.model)


async def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


def infill(document: str = "a", plan: str = "", **changes: object) -> Infill:
    request = {"id": 1, "document": document, "prefix": plan, "canvas": (Slot(8),)} | changes
    return Infill(**request)  # type: ignore[arg-type]
