"""Exact match on held-out holes, through the same engine that serves editors, part by part."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from model_runtime.denoise import entropy_bound
from model_runtime.drafts import retrieve
from model_runtime.engine import Engine, around
from model_runtime.length import CandidateLengths, FixedLength
from model_runtime.profiles import Profile
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.tokens import Tokens
from model_runtime.training.corpus import Document
from model_runtime.training.holes import CUTTERS, HoleCut, Kind, cut_hole

SLOT: dict[Kind, int] = {"end-of-line": 24, "whole-line": 32, "lines": 47, "brackets": 16, "span": 16}
SUFFIX_LINES = 40
PREFIX_CHARACTERS = 8_000


@dataclass(frozen=True)
class Score:
    variant: str
    exact: dict[Kind, float]  # share, trailing white space aside
    steps: float  # mean
    p50_ms: float


@dataclass(frozen=True)
class Outcome:
    """One hole's answer: what was claimed and whether it held."""

    confidence: float
    right: bool


SHIPPED, COPIED = "as shipped", "drafts alone"
Variant = Callable[[Profile], Profile]


def _lone(steps: int, bound: float = 2.0) -> Variant:
    """The denoiser alone with up to `steps` steps."""
    return lambda p: replace(
        p, drafts=0, policy=replace(p.policy, max_steps=steps, accept=entropy_bound(bound))
    )


VARIANTS: dict[str, Variant] = {
    SHIPPED: lambda p: p,
    "denoiser alone, 1 step": _lone(1),
    "denoiser alone, 2 steps": _lone(2),
    "denoiser alone, 4 steps": _lone(4),
    "denoiser alone, 16 steps, bound 0.1": _lone(16, 0.1),
    "denoiser alone, fixed length 8": lambda p: replace(_lone(4)(p), length=FixedLength(8), filler=None),
    "denoiser alone, candidate lengths": lambda p: replace(
        _lone(4)(p), length=CandidateLengths(), filler=None
    ),
    "with 2 drafts mended": lambda p: replace(p, mended=2),
    "with token healing": lambda p: replace(p, heal=True),
}


def sample(documents: Sequence[Document], kind: Kind, count: int, seed: int) -> Iterator[tuple[str, HoleCut]]:
    """(file text, hole) pairs; repeatable for a seed."""
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
    prefix = "".join(line + "\n" for line in lines[: cut.line])[-PREFIX_CHARACTERS:]
    canvas = (Fixed(cut.head), Slot(SLOT[cut.kind]), Fixed(suffix))
    return Infill(id=0, document="", prefix=prefix, canvas=canvas)


def exact(text: str, cut: HoleCut) -> bool:
    return text.rstrip() == cut.middle.rstrip()


def variant(engine: Engine, change: Variant) -> Engine:
    """The same model under another profile."""
    profile = change(engine.tokens.profile)
    tokens = Tokens(engine.tokens.tokenizer, profile)
    return Engine(engine.name, engine.denoiser, tokens, engine.calibration)


def score(
    engine: Engine, documents: Sequence[Document], count: int, seed: int = 0
) -> tuple[list[Score], list[Outcome]]:
    """Every variant and the copy baseline on the same holes, `count` of each kind; and what the engine
    as it ships claimed and got right. Times are warm: the prefix of a hole is encoded before."""
    engines = {name: variant(engine, change) for name, change in VARIANTS.items()}
    right: Counter[tuple[str, Kind]] = Counter()
    times: dict[str, list[float]] = defaultdict(list)
    steps: dict[str, list[int]] = defaultdict(list)
    outcomes: list[Outcome] = []
    for kind in CUTTERS:
        for text, cut in sample(documents, kind, count, seed):
            asked = request(text, cut)
            engine.denoiser.prefill(engine.tokens.lay(asked).prompt)
            for name, other in engines.items():
                started = time.perf_counter()
                answer = other.run(asked)
                times[name].append((time.perf_counter() - started) * 1000)
                steps[name].append(answer.steps)
                held = exact(answer.texts[0], cut)
                right[name, kind] += held
                if name == SHIPPED:
                    outcomes.append(Outcome(answer.confidence, held))
            started = time.perf_counter()
            draft = copied(asked)
            times[COPIED].append((time.perf_counter() - started) * 1000)
            right[COPIED, kind] += exact(draft, cut)
    scores = [
        Score(
            name,
            {kind: right[name, kind] / count for kind in CUTTERS},
            statistics.mean(steps[name] or [0]),
            statistics.median(times[name]),
        )
        for name in (COPIED, *engines)
    ]
    return scores, outcomes


def copied(asked: Infill) -> str:
    """The copy baseline: the best retrieved draft, no model."""
    before, after = around(asked)
    return next((draft.text for draft in retrieve(before, after)), "")


def table(scores: Sequence[Score]) -> str:
    kinds = list(CUTTERS)
    rows = ["| exact match % | " + " | ".join(kinds) + " | steps | p50 ms |"]
    rows.append("|---" * (len(kinds) + 3) + "|")
    for s in scores:
        shares = " | ".join(f"{100 * s.exact[k]:.1f}" for k in kinds)
        rows.append(f"| {s.variant} | {shares} | {s.steps:.1f} | {s.p50_ms:.0f} |")
    return "\n".join(rows)
