"""Fit the weights by which `retrieval.reranker` orders candidates and says how likely each is right.

Of each dev hole's candidates and "none of them", which is exactly the missing text? A conditional logit over
small networks, with the features standardised and some of them dropped in each step (Srivastava et al. 2014,
"Dropout"), since candidates are few and features go together. Dev and test holes come from different held-out
projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from model_runtime.diffusion.interface import BranchScore
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.retrieval import reranker
from model_runtime.retrieval.reranker import Calibration, Candidate, Unit
from model_runtime.training.corpus import Document
from model_runtime.training.held_out import HeldHole
from model_runtime.training.holes import Kind

DEV = frozenset({"pexpect", "pygls", "requests", "click", "flask"})
SLOT: dict[Kind, int] = {"end-of-line": 24, "whole-line": 32, "lines": 47, "brackets": 16, "span": 16}
SUFFIX_LINES = 40
PREFIX_CHARACTERS = 8_000
UNITS, NETWORKS = 8, 3  # hidden units of a network, and networks that are averaged
STEPS, RATE = 300, 0.03
DROPPED = 0.1  # of the features, in each step
PENALTY = 2.0  # nats, of the sum of the squared weights
_LEAST_SPREAD = 1e-6


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
    """The mean of a few small networks, each fitted from other first weights. The same choices give the same
    weights on a machine."""
    names = sorted({name for each in choices for row in each.rows for name in row})
    table = _Table.of(choices, names)
    mean, spread = table.rows.mean(0), table.rows.std(0)
    scale = torch.where(spread > _LEAST_SPREAD, 1 / spread, 0.0)  # what is always the same counts nothing
    standard = replace(table, rows=(table.rows - mean) * scale)
    networks = [_trained(standard, seed) for seed in range(NETWORKS)]

    def weights(layer: torch.nn.Linear) -> torch.Tensor:
        """Of the features as they are, (units, features): the constants are the weights of "bias"."""
        found = layer.weight.detach() * scale
        found[:, names.index("bias")] = layer.bias.detach() - found @ mean
        return found

    linear = torch.stack([weights(each.linear)[0] for each in networks]).mean(0)
    units = [
        Unit(tuple(map(_short, row.tolist())), _short(height.item() / NETWORKS))
        for each in networks
        for row, height in zip(weights(each.hidden), each.heights.detach(), strict=True)
    ]
    return Calibration(dict(zip(names, map(_short, linear.tolist()), strict=True)), tuple(units))


@dataclass(frozen=True)
class _Table:
    """The candidates of all holes, one below the other."""

    rows: torch.Tensor  # (candidates, features)
    hole: torch.Tensor  # (candidates,): the number of each one's hole
    right: torch.Tensor  # (candidates,): 1 or 0
    unfound: torch.Tensor  # (holes,): 1 where none is right

    @classmethod
    def of(cls, choices: Sequence[Choice], names: Sequence[str]) -> _Table:
        return cls(
            torch.tensor([[row.get(name, 0.0) for name in names] for each in choices for row in each.rows]),
            torch.repeat_interleave(torch.tensor([len(each.rows) for each in choices])),
            torch.tensor([is_right for each in choices for is_right in each.right]).float(),
            torch.tensor([not any(each.right) for each in choices]).float(),
        )

    def loss(self, scores: torch.Tensor) -> torch.Tensor:
        """Nats that the right answers cost in all; "none of them" has the score 0."""
        most = torch.zeros_like(self.unfound).scatter_reduce(0, self.hole, scores.detach(), "amax")
        odds, none = (scores - most[self.hole]).exp(), (-most).exp()
        whole = none.scatter_add(0, self.hole, odds)
        good = (self.unfound * none).scatter_add(0, self.hole, odds * self.right)
        return (whole.log() - good.clamp(min=1e-30).log()).sum()


class _Network(torch.nn.Module):
    """Scores (candidates,) of features (candidates, features)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear, self.hidden = torch.nn.Linear(features, 1), torch.nn.Linear(features, UNITS)
        self.heights = torch.nn.Parameter(torch.zeros(UNITS))
        torch.nn.init.zeros_(self.linear.weight)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.linear(rows)[:, 0] + torch.tanh(self.hidden(rows)) @ self.heights


def _trained(table: _Table, seed: int) -> _Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(table.rows.shape[1])
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            optimizer.zero_grad()
            kept = torch.rand_like(table.rows) >= DROPPED
            penalty = sum(each.square().sum() for each in network.parameters())
            loss = table.loss(network(table.rows * kept)) + PENALTY * penalty
            (loss / len(table.unfound)).backward()
            optimizer.step()
            schedule.step()
    return network


def _short(weight: float) -> float:
    return float(f"{weight:.4g}")


def save(calibration: Calibration, folder: Path, file: str = reranker.FILE) -> None:
    (folder / file).write_bytes(msgspec.json.encode(calibration) + b"\n")


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
