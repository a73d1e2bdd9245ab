from __future__ import annotations

from benchmarks.keystroke import Inside, Stdio, measure


def test_a_keystroke_costs_the_same_in_any_file() -> None:
    """Loosely, for machines that do other things as well; the benchmark itself shows about 1.0."""
    short, long = measure("inside", Inside, [500, 50_000], keys=480)
    assert long["ratio"] < 1.6, (short, long)


def test_the_benchmark_drives_a_server() -> None:
    (row,) = measure("stdio", Stdio, [500], keys=60)
    assert row["offered"] > row["keys"] // 2
    assert row["memory_mib"] < 150
