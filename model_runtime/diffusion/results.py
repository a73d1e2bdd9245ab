"""What a fill yields to its caller: a `Step` after each denoise step, then a `Fill`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from model_runtime.protocol import Alternative, Token


@dataclass(frozen=True)
class Step:
    """After one denoise step; `texts` and `tokens` decode the draft only when somebody wants it."""

    step: int
    texts: Callable[[], tuple[str, ...]]
    tokens: Callable[[], tuple[Token, ...]] = tuple


@dataclass(frozen=True, kw_only=True)
class Fill:
    texts: tuple[str, ...]
    confidence: float  # in [0, 1]
    steps: int
    prefill_ms: float
    denoise_ms: float
    complete: bool
    alternatives: tuple[Alternative, ...] = ()  # best first
    sources: tuple[str, ...] = ()  # "denoiser", "draft", "original"


Order = Literal["finish"] | None  # sent into a fill: return the best so far, or take another step
# Yields after every step, and None while a step takes long; closing it abandons the fill.
Filling = Generator[Step | None, Order, Fill]
