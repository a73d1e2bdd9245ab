"""Fit the weights by which `retrieval.reranker` orders candidates and says how likely each is right.

The model is a conditional logit: of each dev hole's candidates and "none of them", which is exactly the
missing text? Dev and test holes come from different held-out projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from model_runtime.diffusion.interface import BranchScore
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.retrieval import reranker
from model_runtime.retrieval.reranker import Calibration, Candidate
from model_runtime.training.corpus import Document
from model_runtime.training.held_out import HeldHole
from model_runtime.training.holes import Kind

DEV = frozenset({"pexpect", "pygls", "requests", "click", "flask"})
SLOT: dict[Kind, int] = {"end-of-line": 24, "whole-line": 32, "lines": 47, "brackets": 16, "span": 16}
SUFFIX_LINES = 40
PREFIX_CHARACTERS = 8_000


@dataclass(frozen=True)
class Outcome:
    """One hole's answer: the confidence it claimed, and whether it was right."""

    confidence: float
    right: bool


@dataclass(frozen=True)
class Choice:
    """One hole's candidates: their features, and which are right (several if they differ in blanks only)."""

    rows: Sequence[dict[str, float]]
    right: Sequence[bool]


def split(documents: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    """(dev, test) documents, by project."""
    dev = [d for d in documents if d.project in DEV]
    return dev, [d for d in documents if d.project not in DEV]


def fit(engine: Engine, holes: Iterable[HeldHole]) -> Calibration:
    """Fitted on what the engine scores as it fills these holes."""
    choices: list[Choice] = []
    middle = ""

    def note(candidates: list[Candidate], scores: list[BranchScore]) -> None:
        right = [c.text.rstrip() == middle.rstrip() for c in candidates]
        choices.append(Choice(reranker.features(candidates, scores), right))

    engine.on_scored = note
    for hole in holes:
        if hole.kind == "lines":  # only a user asks for those, and then the confidence decides nothing
            continue
        middle = hole.middle
        engine.run(request(hole))
    engine.on_scored = None
    return fitted(choices)


def request(hole: HeldHole) -> Infill:
    """What the server would ask at that hole, without a language."""
    suffix = "".join(hole.after.splitlines(keepends=True)[: SUFFIX_LINES + 1])
    start = hole.before.rfind("\n") + 1
    prefix, head = hole.before[:start][-PREFIX_CHARACTERS:], hole.before[start:]
    pieces = (Fixed(head), Slot(SLOT[hole.kind]), Fixed(suffix))
    canvas = tuple(piece for piece in pieces if piece != Fixed(""))
    return Infill(id=0, document="", prefix=prefix, canvas=canvas, context=hole.context)


def fitted(choices: Sequence[Choice]) -> Calibration:
    """The most likely weights under a unit Gaussian prior."""
    names = sorted(choices[0].rows[0])
    # All candidates side by side, and for each the number of its hole. "None of them" has the score 0.
    table = torch.tensor([[row[n] for n in names] for each in choices for row in each.rows]).double()
    hole = torch.repeat_interleave(torch.tensor([len(each.rows) for each in choices]))
    right = torch.tensor([is_right for each in choices for is_right in each.right])
    unfound = torch.tensor([not any(each.right) for each in choices]).double()
    weights = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = table @ weights
        most = torch.zeros(len(choices)).double().scatter_reduce(0, hole, scores.detach(), "amax")
        odds = (scores - most[hole]).exp()
        whole = (-most).exp().scatter_add(0, hole, odds)
        good = (unfound * (-most).exp()).scatter_add(0, hole, odds * right)
        total = 0.5 * weights.square().sum() + (whole.log() - good.clamp(min=1e-300).log()).sum()
        total.backward()
        return total

    optimizer.step(loss)
    return Calibration({name: round(w, 4) for name, w in zip(names, weights.tolist(), strict=True)})


def save(calibration: Calibration, folder: Path, file: str = reranker.FILE) -> None:
    (folder / file).write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")


def threshold(found: Sequence[Outcome], precision: float = 0.5) -> float:
    """The lowest threshold at which at least `precision` of what is shown is right."""
    ordered = sorted(found, key=lambda o: -o.confidence)
    right, best = 0, 1.0
    for n, outcome in enumerate(ordered, 1):
        right += outcome.right
        if right / n >= precision:
            best = outcome.confidence
    return best


def plot(found: Sequence[Outcome], path: Path) -> None:
    """A picture: the reliability curve, and beside it the share shown and the share right by threshold."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    ordered = sorted(found, key=lambda o: o.confidence)
    size = max(1, len(ordered) // 10)
    bins = [ordered[i : i + size] for i in range(0, len(ordered) - size + 1, size)]
    claimed = [sum(o.confidence for o in b) / len(b) for b in bins]
    held = [sum(o.right for o in b) / len(b) for b in bins]
    left.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect")
    left.plot(claimed, held, marker="o", label="deciles of answers")
    left.set(xlabel="confidence", ylabel="share exactly right", title="Reliability", xlim=(0, 1), ylim=(0, 1))
    left.legend()
    levels = [i / 50 for i in range(50)]
    kept = [[o for o in found if o.confidence >= level] for level in levels]
    right.plot(levels, [len(k) / len(found) for k in kept], label="share shown")
    shares = [sum(o.right for o in k) / len(k) if k else float("nan") for k in kept]
    right.plot(levels, shares, label="right if shown")
    right.set(xlabel="confidence threshold", title="What a threshold does", ylim=(0, 1))
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
