"""Greedy left-to-right decoding with a model's causal encoder.

The denoiser has to be better than that. A model trained only so (`training --objective fim`) is asked in the
same way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine, Fill
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import rolled_back
from model_runtime.network import forward
from model_runtime.prompting.layout import Layout, LayoutError, Tokens
from model_runtime.protocol import Infill


@dataclass(frozen=True)
class Written:
    ids: list[int]  # without the end
    logprobs: list[float]  # nats, one a token; the end token's too where it came
    ended: bool


def decode(
    denoiser: LocalDenoiser, prompt: Sequence[int], stable: int, most: int, ends: frozenset[int]
) -> Written:
    """The likeliest token after `prompt`, again and again: at most `most`, until one of `ends`.

    The first `stable` prompt tokens go through the prefix cache."""
    ids: list[int] = []
    logprobs: list[float] = []
    with torch.inference_mode():
        denoiser.prefill(prompt[:stable])
        known, kv = denoiser.cache.match(prompt[:stable])
        known = min(known, len(prompt) - 1)
        kv = rolled_back(kv, known) if known else forward.KeyValues()
        new = list(prompt[known:])
        special = [i for i in range(denoiser.profile.first_text_id) if i not in ends]
        for _ in range(most + 1):
            hidden = denoiser.extend(kv, new, wanted=[len(new) - 1])  # one row: int8 products take no vector
            scores = forward.logits(denoiser.model, hidden)[0]
            scores[special] = float("-inf")
            logp = scores.log_softmax(-1)
            token = int(logp.argmax())
            if len(ids) == most and token not in ends:
                break
            logprobs.append(float(logp[token]))
            if token in ends:
                return Written(ids, logprobs, True)
            ids.append(token)
            new = [token]
    return Written(ids, logprobs, False)


def lay(tokens: Tokens, request: Infill) -> Layout:
    """The layout of a request with one hole. Raises Unfillable."""
    try:
        layout = tokens.lay(request)
    except LayoutError as error:
        raise Unfillable("invalid", str(error)) from None
    if not layout.single:
        raise Unfillable("invalid", "this contender fills one hole at a time")
    return layout


def _fill(tokens: Tokens, written: Written, started: float) -> Fill:
    return Fill(
        texts=(tokens.decode(written.ids),),
        confidence=math.exp(sum(written.logprobs)),
        steps=len(written.logprobs),
        prefill_ms=0.0,
        denoise_ms=(time.perf_counter() - started) * 1000,
        complete=written.ended,
    )


def _local(engine: Engine) -> LocalDenoiser:
    assert isinstance(engine.denoiser, LocalDenoiser)
    return engine.denoiser


class Causal:
    """The encoder continues the text before the hole: with what follows in sight where it learnt that, else
    to the end of the line."""

    def __init__(self, engine: Engine) -> None:
        self._tokens, self._denoiser = engine.tokens, _local(engine)

    def __call__(self, request: Infill) -> Fill:
        started = time.perf_counter()
        layout = lay(self._tokens, request)
        prompt, head, end = layout.prompt, layout.head, self._tokens.encode("\n")[0]
        if order := self._tokens.profile.fim:
            prompt, head = order.question(prompt, head, layout.suffix)
            end = order.end
        written = decode(self._denoiser, [*prompt, *head], len(prompt), layout.slots[0], frozenset({end}))
        return _fill(self._tokens, written, started)
