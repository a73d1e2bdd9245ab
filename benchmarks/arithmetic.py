"""The embedded model in another arithmetic beside fp32, hole by hole: are its answers the same, and as good?

    python -m benchmarks.arithmetic --data FOLDER [--kind-limit N] [--dtype int8] [--json FILE]

FOLDER is made by `benchmarks.projects`. Every development hole is filled twice with the other files of its
project at hand: in fp32, and in `--dtype`. Printed by kind of hole: how often the first answer is exactly
what was missing, how often both give the same one, how far the confidence is from the share that is right,
and how far the denoiser's logits are apart on the positions of the hole.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from model_runtime.network import threads

threads.configure()  # as in the worker

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import holes
from benchmarks.holes import Hole
from benchmarks.ranking import largest_gap, opened, request, similar
from model_runtime.bench import machine
from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine, load_engine
from model_runtime.protocol import Choice
from model_runtime.retrieval.library import Library
from model_runtime.training.calibrate import Outcome

EXACT = "float32"


@dataclass(frozen=True)
class Pair:
    """Both answers to one hole: in fp32 first."""

    kind: str
    texts: tuple[str, str]
    outcomes: tuple[Outcome, Outcome]
    apart: float  # root mean square of the difference of the logits
    most: float  # the largest difference
    likeliest: float  # share of the positions at which both find the same token likeliest


class Side:
    """An engine, and the logits of its last first step."""

    def __init__(self, dtype: str, library: Library) -> None:
        self.engine: Engine = load_engine(Choice(device="cpu", dtype=dtype))
        self.engine.use(library)
        self.logits = torch.empty(0)
        local: Any = self.engine.denoiser
        inner = local._hole_logits

        def noted(*args: Any) -> Tensor:
            self.logits = inner(*args)
            return self.logits.clone()  # what is banned is added in place

        local._hole_logits = noted


def chosen(found: Sequence[Hole], most: int | None) -> list[Hole]:
    """At most so many of each kind, in an order that keeps the holes of a file together."""
    kept: dict[str, list[Hole]] = defaultdict(list)
    for hole in found:
        if most is None or len(kept[hole.kind]) < most:
            kept[hole.kind].append(hole)
    return sorted(
        (hole for some in kept.values() for hole in some), key=lambda hole: (hole.project, hole.path)
    )


def pairs(sides: tuple[Side, Side], library: Library, found: Sequence[Hole], data: Path) -> Iterator[Pair]:
    for hole, files in opened(found, data, "dev", library):
        with suppress(Unfillable):
            yield _pair(sides, hole, files)


def _pair(sides: tuple[Side, Side], hole: Hole, files: dict[str, str]) -> Pair:
    """Raises Unfillable."""
    texts, outcomes, asked = [], [], request(hole, similar(hole, files))
    for side in sides:
        fill = side.engine.run(asked)
        texts.append(fill.texts[0])
        outcomes.append(Outcome(fill.confidence, fill.texts[0].rstrip() == hole.middle.rstrip()))
    exact, other = (side.logits for side in sides)
    gap = exact - other
    same = (exact.argmax(-1) == other.argmax(-1)).float().mean()
    apart, most = float(gap.square().mean().sqrt()), float(gap.abs().max())
    return Pair(hole.kind, (texts[0], texts[1]), (outcomes[0], outcomes[1]), apart, most, float(same))


def summary(found: Sequence[Pair]) -> dict[str, Any]:
    right = [sum(pair.outcomes[side].right for pair in found) for side in (0, 1)]
    return {
        "holes": len(found),
        "right_float32": right[0],
        "right": right[1],
        "gained": sum(pair.outcomes[1].right > pair.outcomes[0].right for pair in found),
        "lost": sum(pair.outcomes[1].right < pair.outcomes[0].right for pair in found),
        "same_answer": round(mean(pair.texts[0] == pair.texts[1] for pair in found), 4),
        "same_likeliest_token": round(mean(pair.likeliest for pair in found), 4),
        "logits_apart_rms": round(mean(pair.apart for pair in found), 4),
        "logits_apart_most": round(max(pair.most for pair in found), 3),
        "calibration_gap_float32": round(largest_gap([pair.outcomes[0] for pair in found], 5), 4),
        "calibration_gap": round(largest_gap([pair.outcomes[1] for pair in found], 5), 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arithmetic")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dtype", default="int8")
    parser.add_argument("--kind-limit", type=int, help="holes of each kind")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found = chosen(holes.load(options.data, "dev", "python"), options.kind_limit)
    library = Library()
    sides = (Side(EXACT, library), Side(options.dtype, library))
    by_kind: dict[str, list[Pair]] = defaultdict(list)
    for pair in tqdm(pairs(sides, library, found, options.data), total=len(found)):
        by_kind[pair.kind].append(pair)
    every = [pair for some in by_kind.values() for pair in some]
    rows = {kind: summary(some) for kind, some in [*sorted(by_kind.items()), ("all", every)]}
    names = list(rows["all"])
    print(f"{options.dtype} beside {EXACT}, {rows['all']['holes']} holes")
    for name in names:
        print(f"{name:>24} " + " ".join(f"{rows[kind][name]:>12}" for kind in rows))
    print(f"{'':>24} " + " ".join(f"{kind:>12}" for kind in rows))
    if options.json:
        told = {"dtype": options.dtype, "kinds": rows, **machine.describe("cpu")}
        options.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
