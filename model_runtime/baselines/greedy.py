"""Greedy left-to-right decoding with a model's causal encoder.

The denoiser has to be better than that. A model trained only so (`training --objective fim`) is asked in the
same way.
"""

from __future__ import annotations

import math
import time

from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine, Fill
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.prompting.layout import Layout, LayoutError, Tokens
from model_runtime.protocol import Infill


def lay(tokens: Tokens, request: Infill) -> Layout:
    """The layout of a request with one hole. Raises Unfillable."""
    try:
        layout = tokens.lay(request)
    except LayoutError as error:
        raise Unfillable("invalid", str(error)) from None
    if not layout.single:
        raise Unfillable("invalid", "this contender fills one hole at a time")
    return layout


class Causal:
    """The encoder continues the text before the hole: with what follows in sight where it learnt that, else
    to the end of the line."""

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine.denoiser, LocalDenoiser)
        self._tokens, self._denoiser = engine.tokens, engine.denoiser

    def __call__(self, request: Infill) -> Fill:
        started = time.perf_counter()
        layout, order = lay(self._tokens, request), self._tokens.profile.fim
        end = order.end if order else self._tokens.encode("\n")[0]
        self._denoiser.prefill(layout.prompt)
        question = self._tokens.question(layout)
        *_, (written,) = self._denoiser.write(*question, end, layout.slots[0] + 1, beams=1)
        return Fill(
            texts=(self._tokens.decode(written.ids),),
            confidence=math.exp(sum(written.logprobs)),
            steps=len(written.logprobs),
            prefill_ms=0.0,
            denoise_ms=(time.perf_counter() - started) * 1000,
            complete=written.ended,
        )
