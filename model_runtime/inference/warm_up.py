"""An engine's first fills, before anybody waits for one.

torch.compile makes a graph for the first shapes that it sees, and when one of their sizes changes, another in
which that size is free. So each size is changed once here: the canvas, the prompt (beyond what a sliding
layer sees), the rows. After that nothing is compiled in a user's fill. A test counts the graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.results import Fill
from model_runtime.network.memory_budget import BUCKET
from model_runtime.prompting.layout import Tokens
from model_runtime.protocol import Fixed, Infill, Slot

log = logging.getLogger(__name__)

LINE = "x = 1\n"
PLAIN = Infill(id=0, document="", prefix=LINE, canvas=(Slot(4), Fixed("\n")))


class Engine(Protocol):
    tokens: Tokens

    def run(self, request: Infill) -> Fill: ...


def run(engine: Engine, window: int, on_progress: Callable[[float], None], *, compiled: bool) -> None:
    """`window`: of the sliding layers, in tokens; `compiled`: whether new shapes are compiled. Progress is in
    [0, 1]. Raises Unfillable where not even the plain fill works."""
    requests = [PLAIN, *(shapes(engine.tokens, window) if compiled else [])]
    for number, request in enumerate(requests):
        try:
            engine.run(request)
        except Unfillable as error:
            if number == 0:
                raise
            log.warning("a shape was not prepared: %s", error)
        on_progress((number + 1) / len(requests))


def shapes(tokens: Tokens, window: int) -> list[Infill]:
    """Requests that change one size after another."""
    wide = (Fixed("y = "), Slot(9), Fixed("\n" + LINE * 4))
    lines = (window + 2 * BUCKET) // max(1, len(tokens.encode(LINE))) + 1
    one = (Fixed("y = "), Slot(1), Fixed("\n" + LINE * 2))  # of one length, so one row whatever the model
    return [
        Infill(id=0, document="", prefix=LINE, canvas=wide),
        Infill(id=0, document="", prefix=LINE * lines, canvas=wide),
        Infill(id=0, document="", prefix=LINE * lines, canvas=wide, candidates=3),
        Infill(id=0, document="", prefix=LINE * lines, canvas=one),
        Infill(id=0, document="", prefix=LINE * (lines // 2), canvas=one),
    ]
