"""Many users on one vLLM server, each with an engine of their own, as their workers have it.

    python -m benchmarks.served_load --url URL [--users 8] [--seconds 120] [--model FOLDER] [--seed 0] [--json
    FILE]

Everybody types the missing text of held-out holes, a key every 150 to 500 ms, and asks at every key. A key
that comes while the answer is awaited cancels the request, as the worker does for its editor. A user waits
after some keys until the answer is there. Exit status 1 unless every request was answered or cancelled,
everybody got answers, and nothing is denoised any more once everybody has stopped. vLLM's own counters say
how much of the prompts was in its prefix cache.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from model_runtime import backends
from model_runtime.bench import machine
from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.training import held_out
from model_runtime.training.held_out import HeldHole

DATA = Path(__file__).parent / "data" / "held-out.jsonl.gz"
KEY_S = (0.15, 0.5)
PATIENT = 0.3  # of keys, how often the answer is waited for
STOPPED_S = 10.0  # after which nothing may run any more
NAMES = (
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
    "num_requests_running",
    "num_requests_waiting",
)


@dataclass
class User:
    engine: Engine
    holes: list[HeldHole]
    rng: random.Random
    until: float
    seen: Counter[str] = field(default_factory=Counter)
    waits_ms: list[float] = field(default_factory=list)

    def type_on(self) -> None:
        while time.monotonic() < self.until:
            hole = self.rng.choice(self.holes)
            for typed in range(len(hole.middle)):
                if time.monotonic() > self.until:
                    break
                self._key(_request(hole, typed))

    def _key(self, request: Infill) -> None:
        began = time.monotonic()
        patient = self.rng.random() < PATIENT
        next_key = began + self.rng.uniform(*KEY_S)
        self.seen["asked"] += 1
        steps = self.engine.fill(request)
        try:
            while patient or time.monotonic() < next_key:
                next(steps)
            steps.close()
            self.seen["cancelled"] += 1
        except StopIteration:
            self.seen["answered"] += 1
            self.waits_ms.append((time.monotonic() - began) * 1000)
        except Unfillable as error:
            self.seen[f"refused: {error}"] += 1
        time.sleep(max(0.0, next_key - time.monotonic()))


def _request(hole: HeldHole, typed: int) -> Infill:
    before = hole.before + hole.middle[:typed]
    start = before.rfind("\n") + 1
    pieces = (Fixed(before[start:]), Slot(24), Fixed(hole.after[:400] or "\n"))
    return Infill(0, hole.path, before[:start], tuple(piece for piece in pieces if piece != Fixed("")))


def counters(url: str) -> dict[str, float]:
    text = urlopen(url + "/metrics", timeout=30).read().decode()
    found = {name: re.findall(rf"^vllm:{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE) for name in NAMES}
    return {name: sum(map(float, values)) for name, values in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.served_load")
    parser.add_argument("--url", required=True)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    holes = [hole for hole in held_out.read(DATA) if hole.kind == "end-of-line"]
    choice = Choice(options.model, backend="vllm", url=options.url)
    engines: list[Any] = [backends.load_engine(choice) for _ in range(options.users)]
    before, until = counters(options.url), time.monotonic() + options.seconds
    users = [
        User(engine, holes, random.Random(f"{options.seed}/{number}"), until)
        for number, engine in enumerate(engines)
    ]
    threads = [threading.Thread(target=user.type_on) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stopped = time.monotonic()
    while (now := counters(options.url))["num_requests_running"] + now["num_requests_waiting"]:
        if time.monotonic() - stopped > STOPPED_S:
            break
        time.sleep(0.1)
    result = summary(users, before, now, time.monotonic() - stopped) | {
        "users": options.users,
        "seconds": options.seconds,
        **machine.describe("cpu"),
    }
    print(json.dumps({name: value for name, value in result.items() if name != "each"}, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["held"] else 1


def summary(
    users: list[User], before: dict[str, float], now: dict[str, float], idle_s: float
) -> dict[str, Any]:
    total = sum((user.seen for user in users), Counter())
    waits = sorted(wait for user in users for wait in user.waits_ms)
    answered = [user.seen["answered"] for user in users]
    queries, hits = (now[name] - before[name] for name in NAMES[:2])
    running = now["num_requests_running"] + now["num_requests_waiting"]
    lost = total["asked"] - sum(count for name, count in total.items() if name != "asked")
    refused = {name: count for name, count in total.items() if name.startswith("refused")}
    return {
        "asked": total["asked"],
        "answered": total["answered"],
        "cancelled": total["cancelled"],
        "refused": refused,
        "lost": lost,
        "p50_ms": round(statistics.median(waits)) if waits else None,
        "p95_ms": round(waits[int(0.95 * len(waits))]) if waits else None,
        "longest_ms": round(waits[-1]) if waits else None,
        "answers_of_a_user": {
            "least": min(answered),
            "median": statistics.median(answered),
            "most": max(answered),
        },
        "median_wait_of_a_user_ms": {
            "least": round(min(statistics.median(user.waits_ms or [0.0]) for user in users)),
            "most": round(max(statistics.median(user.waits_ms or [0.0]) for user in users)),
        },
        "prefix_cache_hit_share": round(hits / queries, 3) if queries else None,
        "idle_after_s": round(idle_s, 1),
        "still_running": running,
        "held": not lost and not refused and min(answered) > 0 and not running,
    }


if __name__ == "__main__":
    sys.exit(main())
