"""The server's share of a keystroke, by file size: from the change to the suggestion, with a worker that
answers at once. It must not grow with the file.

    python -m benchmarks.keystroke [--keys N] [--json FILE] [--lines 500,10000,50000,100000]

`inside` calls session and completion as the handlers do; `stdio` talks to a real server process and counts
both messages, their encoding and the pipes. A line is typed in the middle of many functions, one character
at a time, one suggestion for each. `first` is the first suggestion in a file just opened, `open` the
time until the server has it. Every size is measured in rounds, in turns, so that what else
the machine does hits all sizes alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.drivers import Driver, Inside, Stdio
from benchmarks.python_source import body_lines, source

TYPED = "    total = self.count(value, "
ROUNDS = 8


class Bench:
    """One file size, measured one way."""

    def __init__(self, make: Callable[[], Driver], lines: int) -> None:
        text = source(lines)
        self.lines = lines
        self.ms: list[float] = []  # one for each keystroke
        self.offered = 0
        self._places, self._server = body_lines(text, seed=lines), make()
        line = next(self._places)
        started = time.perf_counter()
        self._server.open(text)
        self.open_ms = (time.perf_counter() - started) * 1000
        started = time.perf_counter()
        self._server.suggest((line, 0))
        self.first_ms = (time.perf_counter() - started) * 1000
        self.memory_mib = 0.0

    def round(self, keys: int) -> None:
        """Type lines, and take each back before the next, so that the file stays as long as it is."""
        for _ in range(max(1, keys // len(TYPED))):
            line = next(self._places)
            self._server.change((line, 0), (line, 0), "\n")
            for at, character in enumerate(TYPED):
                started = time.perf_counter()
                self._server.change((line, at), (line, at), character)
                self.offered += self._server.suggest((line, at + 1))
                self.ms.append((time.perf_counter() - started) * 1000)
            self._server.change((line, 0), (line + 1, 0), "")
        self.memory_mib = max(self.memory_mib, self._server.memory())

    def close(self) -> None:
        self._server.close()

    def row(self, way: str, base: float | None) -> dict[str, Any]:
        """`base`: the p50 in ms that `ratio` compares with."""
        p50, p99 = statistics.median(self.ms), statistics.quantiles(self.ms, n=100)[98]
        return {
            "way": way,
            "lines": self.lines,
            "keys": len(self.ms),
            "offered": self.offered,
            "p50_ms": round(p50, 2),
            "p99_ms": round(p99, 2),
            "ratio": round(p50 / (base or p50), 2),
            "first_ms": round(self.first_ms, 1),
            "open_ms": round(self.open_ms, 1),
            "memory_mib": round(self.memory_mib, 0),
        }


def measure(way: str, make: Callable[[], Driver], sizes: list[int], keys: int) -> list[dict[str, Any]]:
    benches = [Bench(make, lines) for lines in sizes]
    for bench in benches:
        bench.round(len(TYPED))
        bench.ms.clear()  # the first calls of everything
        bench.offered = 0
    for _ in range(ROUNDS):
        for bench in benches:
            bench.round(keys // ROUNDS)
    for bench in benches:
        bench.close()
    base = statistics.median(benches[0].ms)
    return [bench.row(way, base) for bench in benches]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=960, help="keystrokes for each size and way")
    parser.add_argument("--lines", default="500,10000,50000,100000", help="file sizes, the first is the base")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    options = parser.parse_args()
    sizes = [int(lines) for lines in options.lines.split(",")]
    rows = measure("inside", Inside, sizes, options.keys) + measure("stdio", Stdio, sizes, options.keys)
    names = list(rows[0])
    print(" ".join(f"{name:>10}" for name in names))
    for row in rows:
        print(" ".join(f"{row[name]!s:>10}" for name in names))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
