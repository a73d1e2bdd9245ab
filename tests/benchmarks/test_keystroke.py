from __future__ import annotations

import itertools
import statistics
import sys
import tracemalloc

from benchmarks.keystroke import TYPED, Inside, Stdio, measure
from benchmarks.python_source import body_lines, source


def work_of_a_keystroke(lines: int) -> tuple[float, float]:
    """(calls and returns, bytes allocated at most at a time) of a keystroke and its suggestion, medians of a
    typed line. Unlike time they are the same on a busy machine."""
    text = source(lines)
    server, line = Inside(), next(body_lines(text, seed=lines))
    server.open(text)
    server.change((line, 0), (line, 0), "\n")
    server.suggest((line, 0))
    calls, peaks, counter = [], [], itertools.count()
    tracemalloc.start()
    for at, character in enumerate(TYPED):
        began = next(counter)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        sys.setprofile(lambda *_: next(counter))
        server.change((line, at), (line, at), character)
        server.suggest((line, at + 1))
        sys.setprofile(None)
        calls.append(next(counter) - began)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    server.close()
    return statistics.median(calls), statistics.median(peaks)


def test_a_keystroke_costs_the_same_in_any_file() -> None:
    (short_calls, short_peak), (long_calls, long_peak) = map(work_of_a_keystroke, [500, 50_000])
    assert long_calls < 1.6 * short_calls
    assert long_peak < 3 * short_peak < 2**19  # one copy of the longer text is 2 MiB


def test_every_size_has_its_row() -> None:
    short, long = measure("inside", Inside, [500, 50_000], keys=240)
    assert (short["ratio"], short["lines"], long["lines"]) == (1.0, 500, 50_000)
    assert min(short["offered"], long["offered"]) > short["keys"] // 2


def test_the_benchmark_drives_a_server() -> None:
    (row,) = measure("stdio", Stdio, [500], keys=60)
    assert row["offered"] > row["keys"] // 2
    assert row["memory_mib"] < 150
