"""Python text of any length to type in: this project's own modules, again and again."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmarks.serve import ROOT


def source(lines: int) -> str:
    paths = sorted(
        path for package in ("lsp_server", "model_runtime") for path in (ROOT / package).rglob("*.py")
    )
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in paths)
    text *= 1 + lines // text.count("\n")
    return "".join(line + "\n" for line in text.split("\n")[:lines])


def body_lines(text: str, seed: int) -> Iterator[int]:
    """0-based first lines of function bodies, at random, for ever: a statement can be typed above each."""
    lines = text.split("\n")
    starts = [at + 1 for at, line in enumerate(lines) if line.startswith("def ") and line.endswith(":")]
    chosen = random.Random(seed)
    while True:
        yield chosen.choice(starts)
