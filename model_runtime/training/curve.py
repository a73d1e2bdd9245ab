"""The curve of a run: a point at the end of each sitting, as `benchmarks.training_progress` measures it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Point = Mapping[str, Any]
SEEN = ("causal_tokens", "canvas_tokens", "example_tokens")
KINDS = ("end-of-line", "whole-line", "brackets", "span")


def _millions(name: str) -> Callable[[Point], str]:
    return lambda point: f"{point[name] / 1e6:.1f}"


def _loss(name: str) -> Callable[[Point], str]:
    return lambda point: f"{point[name]:.3f}"


def _right(contender: str) -> Callable[[Point], str]:
    return lambda point: " / ".join(f"{point['exact'][contender].get(kind, 0):.0f}" for kind in KINDS)


COLUMNS: Mapping[str, Callable[[Point], str]] = {
    "hours": lambda point: f"{point['seconds'] / 3600:.1f}",
    "M tokens in sequences": _millions("causal_tokens"),
    "on canvases": _millions("canvas_tokens"),
    "of these in holes": _millions("missing_tokens"),
    "in examples": _millions("example_tokens"),
    "tokens/s": lambda point: f"{sum(point[name] for name in SEEN) / max(1.0, point['seconds']):,.0f}",
    "loss of sequences": _loss("val_causal"),
    "of canvases": _loss("val_canvas"),
    "of answers": _loss("val_answer"),
    "denoiser right %": _right("denoiser"),
    "encoder right %": _right("causal"),
}


def cells(point: Point) -> list[str]:
    """By COLUMNS: hours of this run, tokens, nats a token on held-out documents, and percent exactly right by
    KINDS of development holes, of the denoiser alone and of the causal encoder alone."""
    return [shown(point) for shown in COLUMNS.values()]


def row(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |"
