"""Where the milliseconds of a keystroke go, in the worker: by step of a fill and by operation of the network.

    python -m benchmarks.keystroke_profile [--rounds N] [--dtype D] [--json FILE]

The fills are those of `infill-ls bench`: cold in a document never seen, then warm, one more character typed
each time. Torch has one thread, and what is counted is that thread's time on a core, so that other programs
matter little; with two threads the network's parts take about half as long, the others do not. Each part is
counted without the parts that it calls. Medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_runtime.network import threads

threads.configure()  # as in the worker

import torch
import torch.nn.functional as F

from model_runtime.bench import cases, machine
from model_runtime.bench.runs import Editor
from model_runtime.inference import candidates, scoring
from model_runtime.inference.engine import load_engine
from model_runtime.network import arithmetic, forward, layers
from model_runtime.protocol import Choice
from model_runtime.retrieval import reranker
from model_runtime.retrieval.ngram import NgramModel

UNTIMED = 2  # places before the first that counts


class Parts:
    """Milliseconds of each part, without those of the parts inside it."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []  # of the parts that run, what their own parts have taken

    def note(self, owner: Any, name: str, part: str) -> None:
        """Have every call of `owner.name` counted."""
        inner: Callable[..., Any] = getattr(owner, name)

        def noted(*args: Any, **options: Any) -> Any:
            return self.run(part, lambda: inner(*args, **options))

        setattr(owner, name, noted)

    def run(self, part: str, call: Callable[[], Any]) -> Any:
        self._inside.append(0.0)
        started = time.thread_time()
        try:
            return call()
        finally:
            took = (time.thread_time() - started) * 1000
            self.ms[part] += took - self._inside.pop()
            if self._inside:
                self._inside[-1] += took


def watched(engine: Any) -> Parts:
    parts = Parts()
    for kind in (arithmetic.Int8Matrix, arithmetic.Float32Matrix):
        parts.note(kind, "__call__", "network: products")
    parts.note(F, "scaled_dot_product_attention", "network: attention")
    parts.note(layers, "_act", "network: activation")
    parts.note(layers.Norm, "__call__", "network: norms")
    parts.note(layers.Layer, "__call__", "network: all else in layers")
    parts.note(forward, "logits", "head: softcap")
    parts.note(engine.denoiser, "prefill", "prefill, around the network")
    parts.note(engine.denoiser, "_hole_logits", "denoise, around the network")
    parts.note(scoring, "scores", "ranking, around the network")
    parts.note(reranker, "rank", "ranking, around the network")
    parts.note(engine.tokens, "lay", "layout and tokens")
    parts.note(candidates, "gather", "layout and tokens")
    parts.note(engine.drafting, "drafts", "retrieved drafts")
    parts.note(engine.drafting, "ngrams", "composed drafts: the document's words")
    parts.note(NgramModel, "compose", "composed drafts: search")
    parts.note(candidates, "score_by_words", "composed drafts: scoring by words")
    return parts


def measured(engine: Any, rounds: int) -> dict[str, dict[str, float]]:
    """By cold and warm: the median milliseconds of each part, and of the whole."""
    parts, editor = watched(engine), Editor(engine)
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for number, place in enumerate(cases.places(engine.tokens, cases.BASE, rounds + UNTIMED)):
        editor.open()
        for keystroke in range(cases.KEYSTROKES + 1):
            parts.ms.clear()
            request = editor.request(place, keystroke, cases.BASE)
            parts.run("all else", lambda request=request: engine.run(request))
            if number >= UNTIMED:
                found["warm" if keystroke else "cold"].append(dict(parts.ms))
            engine.idle()
    return {state: _medians(runs) for state, runs in found.items()}


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for run in runs for name in run)
    medians = {name: statistics.median(run.get(name, 0.0) for run in runs) for name in names}
    whole = statistics.median(sum(run.values()) for run in runs)
    ordered = sorted(medians.items(), key=lambda item: -item[1])
    return {name: round(ms, 1) for name, ms in ordered} | {"all": round(whole, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keystroke_profile")
    parser.add_argument("--rounds", type=int, default=8, help="places")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    engine: Any = load_engine(Choice(device="cpu", dtype=options.dtype))
    torch.set_num_threads(1)
    found = measured(engine, options.rounds)
    print(f"| ms of one core, {engine.dtype} | warm | cold |\n|---|---|---|")
    for name in found["cold"]:
        print(f"| {name} | {found['warm'].get(name, 0.0)} | {found['cold'][name]} |")
    if options.json:
        told = {"dtype": engine.dtype, **found, **machine.describe("cpu")}
        options.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
