"""An engine whose denoiser is as sure of a token as its hole is short."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest

from model_runtime.diffusion.interface import Guess, Proposal, Row
from model_runtime.inference.engine import Engine
from model_runtime.prompting import infillers
from model_runtime.prompting.layout import Tokens
from tests.support import tiny


class BySize:
    device = dtype = "cpu"

    def cached(self, prompt: Sequence[int]) -> int:
        return 0

    def prefill(self, prompt: Sequence[int]) -> None: ...

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Any, seed: int
    ) -> Generator[Proposal, Sequence[int] | None, None]:
        sizes = [sum(not fixed for fixed in row.pinned) for row in rows]
        guess = Guess([[1] * n for n in sizes], [[-0.1 * n] * n for n in sizes])
        yield Proposal(1, tuple(range(len(rows))), False, read=lambda: guess)
        pytest.fail("one step is enough")


def engine(record: infillers.Infiller) -> Engine:
    profile = infillers.profile(record, window=128, special=frozenset())
    return Engine("model", BySize(), Tokens(tiny.tokenizer(), profile))
