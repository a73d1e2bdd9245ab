"""Many editors on one worker for a long time, with everything going wrong that can.

    python -m benchmarks.soak [--seconds 180] [--editors 8] [--rate 40] [--engine stand-in|embedded]
                              [--seed 0] [--json FILE]

Every editor is a real server process that shares the one worker. It types, edits at random places, asks
for completions, cancels some, and now and then asks for many at once, so that the queue is full.

    alone   one editor at its share of the rate: what a request costs undisturbed
    calm    all editors, nothing else: what sharing costs
    chaos   the worker is killed every few seconds, an editor every now and then
    rest    calm again: does memory stay?

What has to hold (exit status 1 otherwise): every request is answered exactly once; at the end the servers'
documents equal the editors'; from the beginning of a calm phase to the end no process has grown by more
than 5%, the prefix cache apart; the p95 of all editors together is at most twice that of one alone, or
requests were refused.
`stand-in` measures everything but the model; `embedded` takes it along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from benchmarks.editor import ANSWER_S
from benchmarks.soak_load import Load

GROWTH = 1.05  # factor of a process's memory that is still no growth
SLACK = 2 * 2**20  # bytes of growth that mean nothing
CACHE = 256 * 2**20  # bytes that a worker with a model may fill with prefixes
ROUNDS = 3  # of one editor alone, then all


class Soak:
    """The phases, and what has to hold of them."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.load = Load(options, folder)
        self.problems = self.load.problems

    async def run(self) -> dict[str, Any]:
        seconds = self.options.seconds
        load = self.load
        await load.start()
        await load.run(load.editors, 0.08 * seconds)  # warm-up: starts the worker, loads the model
        await load.until_it_offers()
        alone_ms: list[float] = []
        calm_ms: list[float] = []
        cpu_ms: list[float] = []
        refused: Counter[str] = Counter()
        for _ in range(ROUNDS):  # in turns, so that what else the machine does hits both
            alone_ms += await load.phase(load.editors[:1], 0.16 * seconds / ROUNDS)
            old = await self._refused()
            spent, asked = load.cpu_s(), load.asked()
            calm_ms += await load.phase(load.editors, 0.2 * seconds / ROUNDS)
            cpu_ms.append(1000 * (load.cpu_s() - spent) / (load.asked() - asked))
            refused += await self._refused() - old
        alone, calm = self._summary(alone_ms), self._summary(calm_ms)
        before = {editor.process.pid: editor.memory() for editor in load.editors}
        await load.run(load.editors, 0.25 * seconds, chaos=True)
        await load.run(load.editors, 0.1 * seconds)
        worker = load.worker()
        worker_before = worker.memory_info().rss if worker else 0
        rest = self._summary(await load.phase(load.editors, 0.2 * seconds))
        await self._check_answers()
        grown = self._grown(before, worker, worker_before)
        ratio = calm["p95_ms"] / alone["p95_ms"]
        if ratio > 2 and not refused:
            self.problems.append(f"p95 of all is {ratio:.1f} times that of one, and nothing was refused")
        kinds = sum((editor.kinds for editor in load.editors), load.gone)
        return {
            "engine": self.options.engine,
            "editors": len(load.editors),
            "rate": self.options.rate,
            "seconds": seconds,
            "asked": load.asked(),
            "answers": dict(kinds),
            "refused_while_calm": dict(refused),
            "worker_kills": load.worker_kills,
            "alone": alone,
            "calm": calm,
            "rest": rest,
            "cpu_ms_per_request": round(statistics.median(cpu_ms), 2),
            "p95_ratio": round(ratio, 2),
            "memory": grown,
            "problems": self.problems,
        }

    def _summary(self, ms: list[float]) -> dict[str, Any]:
        """Percentiles of what the answers of a phase took."""
        answered = len(ms)
        if answered < 10:
            self.problems.append(f"only {answered} answers in a phase")
            ms = [ANSWER_S * 1000] * 2
        cuts = statistics.quantiles(ms, n=100, method="inclusive")
        return {"answered": answered, "p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1)}

    async def _check_answers(self) -> None:
        for editor in self.load.editors:
            if not await editor.settle():
                self.problems.append(f"editor {editor.number} waits for an answer")
            self.load.account(editor)
            for uri in await editor.differing():
                self.problems.append(f"{uri} is not what the editor has")

    def _grown(self, before: dict[int, int], worker: psutil.Process | None, worker_before: int) -> list[Any]:
        """[name, before, after] in MiB of each process that lived all along. `before`: bytes by pid."""
        found = [
            ("server", before[editor.process.pid], editor.memory())
            for editor in self.load.editors
            if editor.process.pid in before
        ]
        if worker and worker.is_running():
            found.append(("worker", worker_before, worker.memory_info().rss))
        else:
            self.problems.append("the worker did not survive the rest")
        filling = CACHE if self.options.engine == "embedded" else 0
        for name, old, new in found:
            if new > old * GROWTH + SLACK + filling * (name == "worker"):
                self.problems.append(f"a {name} grew from {old / 2**20:.0f} to {new / 2**20:.0f} MiB")
        return [[name, round(old / 2**20, 1), round(new / 2**20, 1)] for name, old, new in found]

    async def _refused(self) -> Counter[str]:
        """By the worker that lives now, for reasons that are neither the client's nor the next request's."""
        command = {"command": "infill.status", "arguments": []}
        status = await self.load.editors[0].request("workspace/executeCommand", command)
        refused = Counter(status.get("refused", {}))
        return Counter({reason: n for reason, n in refused.items() if reason in ("busy", "deadline")})


def soak(options: argparse.Namespace) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    os.environ["INFILL_LS_RUNTIME_DIR"] = str(folder)

    async def run() -> dict[str, Any]:
        soak = Soak(options, folder)
        try:
            return await soak.run()
        finally:
            await soak.load.end()

    try:
        return asyncio.run(run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180, help="3600 and more: a long soak")
    parser.add_argument("--editors", type=int, default=8)
    parser.add_argument("--rate", type=float, default=40, help="requests a second in all")
    parser.add_argument("--engine", choices=["stand-in", "embedded"], default="stand-in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    result = soak(options)
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return int(bool(result["problems"]))


if __name__ == "__main__":
    sys.exit(main())
