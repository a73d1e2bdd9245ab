"""How much memory the worker holds: when it is ready, at its peak, and after many fills.

    python -m benchmarks.worker_memory [--fills N] [--model FOLDER] [--json FILE]

Starts a worker of its own and asks it for what the server would ask at held-out places, a new document each
time, so that the prefix cache fills and turns over. Measured are resident memory (RSS, as in `infill-ls
worker status`), the part of it that no other process shares (USS), and the peak.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from evaluation import places
from evaluation.answers import ask
from evaluation.contenders import Shipped
from lsp_server.config.settings import Settings
from model_runtime.protocol import Status

DATA = Path(__file__).parent / "data" / "held-out.jsonl.gz"
MB = 1e6
REPORTED = 100  # fills between two lines


class Meter:
    """Memory of one process, in bytes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._highest = 0

    def rss(self) -> int:
        held = self._process.memory_info().rss
        self._highest = max(self._highest, held)
        return held

    def own(self) -> int:
        """USS: what no other process shares."""
        return self._process.memory_full_info().uss

    def peak(self) -> int:
        """Of RSS; where the kernel does not tell, the highest seen here."""
        status = Path(f"/proc/{self._process.pid}/status")
        if not status.exists():
            return self._highest
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


async def measured(fills: int, model: str) -> dict[str, float]:
    settings = Settings(model=model)
    shipped = Shipped(settings)
    started = time.perf_counter()
    try:
        if problem := await shipped.start():
            raise SystemExit(problem)
        ready_s = time.perf_counter() - started
        status = await shipped.worker.status()
        assert isinstance(status, Status)
        meter = Meter(status.pid)
        found = {
            "ready_s": round(ready_s, 2),
            "ready_mb": meter.rss() / MB,
            "load_peak_mb": meter.peak() / MB,
        }
        for number, place in enumerate(itertools.islice(itertools.cycle(places.read(DATA)), fills), 1):
            await ask(place, shipped, settings)
            if number % REPORTED == 0:
                print(f"{number:5} places  {meter.rss() / MB:5.0f} MB", file=sys.stderr, flush=True)
        status = await shipped.worker.status()
        assert isinstance(status, Status)
        found |= {"fills": status.served, "p50_ms": status.p50_ms or 0.0}
        found |= {"settled_mb": meter.rss() / MB, "own_mb": meter.own() / MB, "peak_mb": meter.peak() / MB}
        return {name: round(value, 2) for name, value in found.items()}
    finally:
        await shipped.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker_memory")
    parser.add_argument("--fills", type=int, default=300, help="places; each is read before it is filled")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="infill-memory-") as folder:
        os.environ["INFILL_LS_RUNTIME_DIR"] = folder
        found = asyncio.run(measured(args.fills, args.model))
    for name, value in found.items():
        print(f"{name:>13}  {value:7.1f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
