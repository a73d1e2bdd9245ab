"""A local denoiser that computes as a vLLM server does, and tells no more: each position's likeliest tokens.

A sliding layer's window slides along the canvas, and known text has no self-conditioning (docs/remote.md).
With it the calibration for servers is fitted without one. From the second step on a server differs in more.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Guess, Proposal, Row
from model_runtime.diffusion.policy import Policy
from model_runtime.inference.engine import Engine
from model_runtime.local.attention import CanvasView
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.network.forward import FULL, SLIDING
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
        self.device, self.dtype = local.device, local.dtype
        self._local = local
        self._top: tuple[Tensor, Tensor] | None = None
        inner = local._hole_logits

        def noted(
            layout: sampler.Layout, state: sampler.State, known: Tensor, view: CanvasView, start: int
        ) -> Tensor:
            width = known.shape[1]
            masks = {FULL: None, SLIDING: slid(local._window, start, width)}
            logits = inner(layout, state, torch.zeros_like(known), replace(view, masks=masks), start)
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


def slid(window: int, prompt: int, canvas: int) -> Tensor:
    """Which of the newest window - 1 prompt tokens and of the canvas each position of the canvas sees where
    the window slides along: [1, 1, C, keys]."""
    at = torch.arange(prompt, prompt + canvas)
    keys = torch.arange(max(0, prompt - (window - 1)), prompt + canvas)
    return (keys[None, :] > at[:, None] - window)[None, None]
