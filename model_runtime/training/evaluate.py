"""Exact match on held-out holes, through the same engine that serves editors."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from model_runtime.engine import Engine, Fill
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.training.corpus import Document
from model_runtime.training.holes import CUTTERS, HoleCut, Kind, cut_hole

SLOT = {"end-of-line": 24, "whole-line": 32, "lines": 47, "brackets": 16, "span": 24}  # tokens
SUFFIX_LINES = 40


@dataclass(frozen=True)
class Score:
    kind: Kind
    holes: int
    exact: float  # share, trailing white space aside
    steps: float  # mean
    p50_ms: float


def sample(documents: Sequence[Document], kind: Kind, count: int, seed: int) -> Iterator[tuple[str, HoleCut]]:
    """(file text, hole) pairs; documents of one project are as likely as its share of files."""
    rng = random.Random(f"{seed}/{kind}")
    found = 0
    while found < count:
        text = rng.choice(documents).text.removesuffix("\n")
        lines = text.split("\n")
        cut = cut_hole(lines, rng.randrange(len(lines)), rng, kind)
        if cut and len(cut.middle) < 160:
            found += 1
            yield text, cut


def request(text: str, cut: HoleCut) -> Infill:
    lines = text.split("\n")
    suffix = "\n".join([cut.tail, *lines[cut.next_line : cut.next_line + SUFFIX_LINES]]) + "\n"
    prefix = "".join(line + "\n" for line in lines[: cut.line])
    canvas = (Fixed(cut.head), Slot(SLOT[cut.kind]), Fixed(suffix))
    return Infill(id=0, document="", prefix=prefix, canvas=canvas)


def fill(engine: Engine, asked: Infill) -> Fill:
    steps = engine.fill(asked)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def score(engine: Engine, documents: Sequence[Document], count: int, seed: int = 0) -> list[Score]:
    scores = []
    for kind in CUTTERS:
        right, steps, times = 0, [], []
        for text, cut in sample(documents, kind, count, seed):
            started = time.perf_counter()
            answer = fill(engine, request(text, cut))
            times.append((time.perf_counter() - started) * 1000)
            steps.append(answer.steps)
            right += answer.texts[0].rstrip() == cut.middle.rstrip()
        scores.append(Score(kind, count, right / count, statistics.mean(steps), statistics.median(times)))
    return scores


def table(scores: Sequence[Score]) -> str:
    rows = ["| hole | holes | exact match | steps | p50 ms |", "|---|---|---|---|---|"]
    rows += [f"| {s.kind} | {s.holes} | {s.exact:.1%} | {s.steps:.1f} | {s.p50_ms:.0f} |" for s in scores]
    return "\n".join(rows)


def as_json(scores: Sequence[Score]) -> str:
    return json.dumps([asdict(s) for s in scores], indent=1)
