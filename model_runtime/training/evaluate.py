"""Exact match on held-out holes, through the same engine that serves editors, part by part."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from model_runtime.denoise import entropy_bound
from model_runtime.drafts import retrieve
from model_runtime.engine import Engine
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


Variant = Callable[[Profile], Profile]


def _lone(steps: int, bound: float = 2.0) -> Variant:
    """The denoiser alone with up to `steps` steps."""
    return lambda p: replace(
        p, drafts=0, policy=replace(p.policy, max_steps=steps, accept=entropy_bound(bound))
    )


VARIANTS: dict[str, Variant] = {
    "as shipped": lambda p: p,
    "denoiser alone, 1 step": _lone(1),
    "denoiser alone, 2 steps": _lone(2),
    "denoiser alone, 4 steps": _lone(4),
    "denoiser alone, 8 steps": _lone(8),
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


def score(name: str, engine: Engine, documents: Sequence[Document], count: int, seed: int = 0) -> Score:
    shares: dict[Kind, float] = {}
    steps, times = [], []
    for kind in CUTTERS:
        right = 0
        for text, cut in sample(documents, kind, count, seed):
            started = time.perf_counter()
            answer = engine.run(request(text, cut))
            times.append((time.perf_counter() - started) * 1000)
            steps.append(answer.steps)
            right += exact(answer.texts[0], cut)
        shares[kind] = right / count
    return Score(name, shares, statistics.mean(steps), statistics.median(times))


def score_drafts(documents: Sequence[Document], count: int, seed: int = 0) -> Score:
    """The copy baseline: the best retrieved draft, no model."""
    shares: dict[Kind, float] = {}
    times = []
    for kind in CUTTERS:
        right = 0
        for text, cut in sample(documents, kind, count, seed):
            asked = request(text, cut)
            started = time.perf_counter()
            before = asked.prefix + cut.head
            after = asked.canvas[-1]
            found = retrieve(before, after.text if isinstance(after, Fixed) else "")
            times.append((time.perf_counter() - started) * 1000)
            right += bool(found) and exact(found[0].text, cut)
        shares[kind] = right / count
    return Score("drafts alone", shares, 0.0, statistics.median(times))


def table(scores: Sequence[Score]) -> str:
    kinds = list(CUTTERS)
    rows = ["| exact match % | " + " | ".join(kinds) + " | steps | p50 ms |"]
    rows.append("|---" * (len(kinds) + 3) + "|")
    for s in scores:
        shares = " | ".join(f"{100 * s.exact[k]:.1f}" for k in kinds)
        rows.append(f"| {s.variant} | {shares} | {s.steps:.1f} | {s.p50_ms:.0f} |")
    return "\n".join(rows)
