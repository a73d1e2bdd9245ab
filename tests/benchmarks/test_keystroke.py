from __future__ import annotations

import statistics
import tracemalloc

from benchmarks.keystroke import TYPED, Inside, Stdio, measure
from benchmarks.python_source import body_lines, source


def peak_of_a_keystroke(lines: int) -> float:
    """Bytes that a keystroke and its suggestion allocate at most at a time, the median of a typed line."""
    text = source(lines)
    server, line = Inside(), next(body_lines(text, seed=lines))
    server.open(text)
    server.change((line, 0), (line, 0), "\n")
    server.suggest((line, 0))
    peaks = []
    tracemalloc.start()
    for at, character in enumerate(TYPED):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        server.change((line, at), (line, at), character)
        server.suggest((line, at + 1))
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    server.close()
    return statistics.median(peaks)


def test_a_keystroke_copies_no_file() -> None:
    """Memory, since it is the same on a busy machine: one copy of the longer text is 2 MiB."""
    assert peak_of_a_keystroke(50_000) < 3 * peak_of_a_keystroke(500) < 2**19


def test_every_size_has_its_row() -> None:
    short, long = measure("inside", Inside, [500, 50_000], keys=240)
    assert (short["ratio"], short["lines"], long["lines"]) == (1.0, 500, 50_000)
    assert min(short["offered"], long["offered"]) > short["keys"] // 2


def test_the_benchmark_drives_a_server() -> None:
    (row,) = measure("stdio", Stdio, [500], keys=60)
    assert row["offered"] > row["keys"] // 2
    assert row["memory_mib"] < 150
