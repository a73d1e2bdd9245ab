"""The same weights on this machine and on a vLLM server: how good, and how long?

    python -m benchmarks.served DATA --url URL [--limit N] [--model FOLDER] [--json FILE]

DATA is what `infill-ls eval` takes: a file of holes, or a folder with projects, of which the Python projects
for development are opened as an editor opens them. Every place goes through the server's pipeline to two
engines in this process, in turns: one that computes here, one that asks the server. Nobody is hurried, so
that a server on a slow machine is judged by what it says. Beside it, what ranking costs on the server: a fill
with drafts, found and composed, over one without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from evaluation import hole_set, places, report
from evaluation.contenders import Contender, InProcess
from evaluation.run import Findings, measure
from lsp_server.config.settings import Settings
from model_runtime import backends
from model_runtime.bench import machine
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Choice, Infill
from model_runtime.retrieval.library import Library

ROUNDS = 20


class Noted:
    """An engine that remembers what it was asked."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.requests = engine, list[Infill]()

    def __call__(self, request: Infill) -> Any:
        self.requests.append(request)
        return self.engine.run(request)


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


def contender(noted: Noted) -> InProcess:
    library = Library()
    noted.engine.use(library)
    return InProcess(noted, library=library)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.served")
    parser.add_argument("data", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--limit", type=int, help="places of each kind")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = options.data
    known = hole_set.read(data, "dev", "python") if data.is_dir() else places.read(data)
    found = places.chosen(known, options.limit, 0)
    choices = {
        "local": Choice(options.model, "cpu"),
        "vllm": Choice(options.model, backend="vllm", url=options.url),
    }
    engines = {name: Noted(backends.load_engine(choice)) for name, choice in choices.items()}  # type: ignore[arg-type]
    contenders: dict[str, Contender] = {name: contender(noted) for name, noted in engines.items()}
    settings, findings = Settings(), Findings()
    asyncio.run(measure(found, contenders, settings, findings))
    outcomes = findings.outcomes
    by_place = list(zip(outcomes[::2], outcomes[1::2], strict=True))
    result = {
        "data": data.name,
        "places": len(found),
        "threshold": settings.confidence_threshold,
        "contenders": {"local": "on this machine", "vllm": "on a vLLM server"},
        "rows": findings.rows(settings.confidence_threshold),
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
