"""A progress bar on standard error; where that is no terminal, a line now and then that stays."""

from __future__ import annotations

import sys

from tqdm import tqdm

EVERY_S = 10.0  # between lines that stay


def bar(total: int) -> tqdm:
    """Over `total` places; the kind of the newest one is its description."""
    shown = "[{bar:30}] {n_fmt}/{total_fmt} {desc}, {remaining} left"
    if sys.stderr.isatty():
        return tqdm(total=total, ascii=".#", bar_format=shown)
    lines = {"bar_format": shown + "\n", "mininterval": EVERY_S, "delay": EVERY_S, "leave": False}
    return tqdm(total=total, ascii=".#", miniters=1, **lines)
