"""A local denoiser that tells only what a vLLM server tells: each position's likeliest tokens, and no scores.

With it the calibration for servers is fitted without one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from model_runtime.diffusion.interface import Guess, Proposal, Row
from model_runtime.diffusion.sampler import Policy
from model_runtime.inference.engine import Engine
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.remote.wire import TOP
from model_runtime.retrieval import reranker
from model_runtime.retrieval.reranker import Calibration


def engine(local: Engine, calibration: Calibration = reranker.UNCALIBRATED) -> Engine:
    """One with the same weights that knows no more of a fill than a server tells."""
    assert isinstance(local.denoiser, LocalDenoiser)
    return Engine(local.name, AsServed(local.denoiser), local.tokens, calibration, local.chat)


class AsServed:
    """Implements `interface.Denoiser`, not `interface.Scoring`."""

    def __init__(self, local: LocalDenoiser) -> None:
        self.device = local.device
        self._local = local
        self._top: tuple[Tensor, Tensor] | None = None
        inner = local._hole_logits

        def noted(*args: Any) -> Tensor:
            logits = inner(*args)
            top = logits.log_softmax(-1).topk(TOP)
            self._top = top.indices, top.values
            return logits

        local._hole_logits = noted  # type: ignore[method-assign]

    def cached(self, prompt: Sequence[int]) -> int:
        return len(prompt)

    def prefill(self, prompt: Sequence[int]) -> None:
        self._local.prefill(prompt)

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Policy, seed: int
    ) -> Generator[Proposal | None, Sequence[int] | None, None]:
        running = self._local.denoise(prompt, rows, policy, seed)
        kept = None
        while True:
            try:
                proposal = running.send(kept)
            except StopIteration:
                return
            guess = self._told(proposal.read())
            kept = yield replace(proposal, read=lambda guess=guess: guess)

    def _told(self, guess: Guess) -> Guess:
        assert self._top
        ids, logprobs = (each.tolist() for each in self._top)
        likeliest = [
            [dict(zip(*at, strict=True)) for at, _ in zip(zip(*row, strict=True), own, strict=False)]
            for row, own in zip(zip(ids, logprobs, strict=True), guess.ids, strict=True)
        ]
        return Guess(guess.ids, guess.logprobs, likeliest)
