"""Fills in this checkout and in another, in turns: how long a warm and a cold one take, and the memory.

    git worktree add OTHER COMMIT
    python -m benchmarks.fill_speed OTHER [--places N] [--json FILE]

Both load the embedded model, as in the worker, and fill the base setting of `infill-ls bench`, place by
place: once in a document never seen, then once for each further character typed. Median wall time, and
processor time of the whole process, which what else the machine does changes less. The other checkout need
not have this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MEASURES = ("wall", "processor")


def fill() -> None:
    """The fills of one place for each line that is read, and a line of JSON about them."""
    from model_runtime.network import threads

    threads.configure()

    from model_runtime.bench import cases
    from model_runtime.bench.runs import Editor
    from model_runtime.inference.engine import load_engine
    from model_runtime.network import process_memory
    from model_runtime.protocol import Choice

    engine: Any = load_engine(Choice(device="cpu"))
    editor = Editor(engine)
    places = cases.places(engine.tokens, cases.BASE, 1_000)
    for _, place in zip(sys.stdin, places, strict=False):
        editor.open()
        told: dict[str, Any] = {"cold": [], "warm": []}
        for keystroke in range(cases.KEYSTROKES + 1):
            request = editor.request(place, keystroke, cases.BASE)
            started = time.perf_counter(), time.process_time()
            engine.run(request)
            took = time.perf_counter() - started[0], time.process_time() - started[1]
            told["warm" if keystroke else "cold"].append([1000 * each for each in took])
            engine.idle()
        print(json.dumps(told | {"memory": process_memory.resident_bytes()}), flush=True)


def compared(other: Path, places: int) -> dict[str, Any]:
    """The first place of each side warms up."""
    from benchmarks.checkouts import in_turns  # which the other checkout, where `fill` runs, need not have

    told = in_turns(other, [str(Path(__file__).resolve()), "--fill"], places + 1)
    found: dict[str, Any] = {"memory_bytes": {name: done[-1]["memory"] for name, done in told.items()}}
    for state in ("warm", "cold"):
        ms: dict[str, dict[str, float]] = {}
        for name, done in told.items():
            runs = [run for each in done[1:] for run in each[state]]
            ms[name] = {what: statistics.median(run[at] for run in runs) for at, what in enumerate(MEASURES)}
        found[state] = ms | {"ratio": {what: ms["here"][what] / ms["there"][what] for what in MEASURES}}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fill_speed")
    parser.add_argument("other", type=Path, nargs="?", help="a checkout")
    parser.add_argument("--places", type=int, default=12)
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.fill:
        fill()
        return 0
    if not options.other:
        parser.error("name the other checkout")
    found = compared(options.other, options.places)
    print("| ms | here | there | here / there |\n|---|---|---|---|")
    for state in ("warm", "cold"):
        for what in MEASURES:
            here, there, ratio = (found[state][name][what] for name in ("here", "there", "ratio"))
            print(f"| {state}, {what} | {here:.1f} | {there:.1f} | {ratio:.2f} |")
    here, there = (found["memory_bytes"][name] / 1e6 for name in ("here", "there"))
    print(f"| memory of the process afterwards, MB | {here:.0f} | {there:.0f} | {here / there:.2f} |")
    if options.json:
        from model_runtime.bench import machine

        options.json.write_text(json.dumps(found | machine.describe("cpu"), indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
