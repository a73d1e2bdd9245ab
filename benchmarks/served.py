"""The same weights on this machine and on a vLLM server: how good, and how long?

    python -m benchmarks.served DATA --url URL [--limit N] [--model FOLDER] [--json FILE]

DATA is a file of held-out holes as `infill-ls eval` takes them. Every place goes through the server's
pipeline to two engines in this process, in turns: one that computes here, one that asks the server. Nobody is
hurried, so that a server on a slow machine is judged by what it says. Beside it, what ranking costs on the
server: a fill with drafts, found and composed, over one without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from evaluation import places, report, scores
from evaluation.answers import ask
from evaluation.contenders import InProcess
from evaluation.scores import Outcome
from lsp_server.config.settings import Settings
from model_runtime import backends
from model_runtime.bench import machine
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Choice, Infill

ROUNDS = 20


class Noted:
    """An engine as a contender; remembers what it was asked, and how long an answer took."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.requests, self.ms = engine, list[Infill](), list[float]()

    def __call__(self, request: Infill) -> Any:
        self.requests.append(request)
        began = time.perf_counter()
        try:
            return self.engine.run(request)
        finally:
            self.ms.append((time.perf_counter() - began) * 1000)


async def judged(found: list[places.Place], engines: dict[str, Noted]) -> list[Outcome]:
    outcomes = []
    for number, place in enumerate(found, 1):
        for name, engine in engines.items():
            contender = InProcess(engine, engine.engine.run)
            outcomes.append(
                scores.judge(place, name, await ask(place, contender, Settings()), lambda program: False)
            )
        if number % 20 == 0:
            print(f"{number} of {len(found)} places", file=sys.stderr, flush=True)
    return outcomes


def ranking_cost(noted: Noted) -> dict[str, float]:
    """Fills with drafts and without, warm, in turns, milliseconds (median)."""
    engine, drafting = noted.engine, noted.engine.drafting
    drafts, ngrams = drafting.drafts, drafting.ngrams
    took: dict[str, list[float]] = {"ranked": [], "alone": []}
    for request in noted.requests[:: max(1, len(noted.requests) // ROUNDS)]:
        engine.run(request)
        for name in took:
            if name == "alone":
                drafting.drafts, drafting.ngrams = lambda request: [], lambda request: None  # type: ignore
            began = time.perf_counter()
            engine.run(request)
            took[name].append((time.perf_counter() - began) * 1000)
            drafting.drafts, drafting.ngrams = drafts, ngrams  # type: ignore[method-assign]
    found = {name: round(statistics.median(each), 1) for name, each in took.items()}
    return found | {"ratio": round(found["ranked"] / found["alone"], 3)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.served")
    parser.add_argument("data", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--limit", type=int, help="places of each kind")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = places.chosen(places.read(options.data), options.limit, 0)
    choices = {
        "local": Choice(options.model, "cpu"),
        "vllm": Choice(options.model, backend="vllm", url=options.url),
    }
    engines = {name: Noted(backends.load_engine(choice)) for name, choice in choices.items()}  # type: ignore[arg-type]
    outcomes = asyncio.run(judged(found, engines))
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.kind, outcome.contender].append(outcome)
    threshold = Settings().confidence_threshold
    by_place = list(zip(outcomes[::2], outcomes[1::2], strict=True))
    result = {
        "data": options.data.name,
        "places": len(found),
        "threshold": threshold,
        "contenders": {"local": "on this machine", "vllm": "on a vLLM server"},
        "rows": [scores.summary(group, threshold) for group in groups.values()],
        "quiet": [],
        "same_text": sum(here.answer.text == there.answer.text for here, there in by_place),
        "ranking_ms": ranking_cost(engines["vllm"]),
        **machine.describe("cpu"),
    }
    result["table"] = report.table(result)
    print(result["table"])
    print(f"the same text at {result['same_text']} of {len(found)}; ranking: {result['ranking_ms']}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
