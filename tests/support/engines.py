"""Engines for tests that compare two."""

from __future__ import annotations

from pathlib import Path

from model_runtime.inference.engine import Engine
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.retrieval import reranker
from model_runtime.training.served import AsServed


def as_served(local: Engine, folder: Path) -> Engine:
    """An engine with the same weights that knows no more of a fill than a vLLM server tells."""
    assert isinstance(local.denoiser, LocalDenoiser)
    calibration = reranker.load(folder, reranker.DENOISED_FILE)
    return Engine(local.name, AsServed(local.denoiser), local.tokens, calibration, local.chat)
