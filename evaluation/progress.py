"""A progress bar on standard error; a line now and then where that is no terminal."""

from __future__ import annotations

import sys
import time

WIDTH = 30
EVERY_S = 10.0  # between lines that stay


class Progress:
    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._started = time.monotonic()
        self._said = self._started
        self._live = sys.stderr.isatty()

    def step(self, what: str) -> None:
        self._done += 1
        now = time.monotonic()
        if not self._live and now - self._said < EVERY_S:
            return
        self._said = now
        left = (now - self._started) / self._done * (self._total - self._done)
        bar = "#" * (WIDTH * self._done // self._total)
        line = f"[{bar:.<{WIDTH}}] {self._done}/{self._total} {what}, {left / 60:.1f} min left"
        print(
            f"\r{line:<79}" if self._live else line,
            end="" if self._live else "\n",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        if self._live:
            print(file=sys.stderr)
