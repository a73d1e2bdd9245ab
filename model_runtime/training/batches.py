"""Training batches: sequences for the encoder, and what goes on from them: canvases, and examples in
fill-in-the-middle order.

One encoder pass over a sequence serves several of both. The encoder is causal, so each canvas or example sees
the sequence up to its own cut. A sequence is a pack of segments, each one document with pieces of the
document's siblings before it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model_runtime.training import fim
from model_runtime.training.canvases import begins_at, composed, lay_canvas
from model_runtime.training.documents import Encoder, TokenizedDocument
from model_runtime.training.geometry import CONTEXT
from model_runtime.training.holes import HoleCut, cut_hole
from model_runtime.training.siblings import Siblings
from model_runtime.training.vocabulary import BOS, GAP, PAD

NOISE = -1  # in `Batch.begin`


class Examples(NamedTuple):
    """Q examples in fill-in-the-middle order, of E tokens, on each of B sequences."""

    ids: Tensor  # [B * Q, E], padded with PAD
    answer: Tensor  # bool [B * Q, E]: the missing text and its end
    cuts: Tensor  # [B, Q]: prefix tokens each may see


@dataclass(frozen=True)
class Batch:
    """B sequences of P tokens, K canvases of C tokens on each, flattened to [B, K * C]."""

    sequence: Tensor  # [B, P]
    canvas: Tensor  # [B, K * C], clean ids
    hole: Tensor  # bool [B, K * C]
    filler: Tensor  # bool [B, K * C]: hole positions after the first gap token
    cuts: Tensor  # [B, K]: prefix tokens canvas k may see
    width: int  # C
    begin: Tensor | None = None  # [B, K * C]: ids of drafts that holes begin with, NOISE elsewhere
    segments: Tensor | None = None  # [B, P]: number of each token's segment; None: all may see all
    missing: int = 0  # tokens of text in holes
    examples: Examples | None = None


@dataclass(frozen=True)
class Mix:
    """What is drawn. Shares are in [0, 1]."""

    holes: int = 1  # on a canvas, at most; two at least where it is more than one
    examples: int = 0  # in fill-in-the-middle order, on each sequence
    context: float = 0.0  # share of documents with pieces of other files before them
    drafts: float = 0.0  # share of canvases that begin with a composed draft
    apart: bool = False  # segments do not see each other


class _Shown(NamedTuple):
    """A document in a sequence: its lines from `line` on, whose ids are at `offset`."""

    document: TokenizedDocument
    line: int
    offset: int
    start: int  # of its segment

    def at(self, line: int) -> int:
        """Where in the sequence a line of the document begins."""
        return self.offset + int(self.document.starts[line] - self.document.starts[self.line])


@dataclass
class _Row:
    """One sequence and its canvases while they are drawn."""

    ids: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    shown: list[_Shown] = field(default_factory=list)
    canvas: list[int] = field(default_factory=list)
    begin: list[int] = field(default_factory=list)
    hole: list[bool] = field(default_factory=list)
    filler: list[bool] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    missing: int = 0
    examples: list[list[int]] = field(default_factory=list)
    answers: list[list[bool]] = field(default_factory=list)
    example_cuts: list[int] = field(default_factory=list)

    def add(self, ids: Sequence[int]) -> None:
        self.segments += [self.segments[-1] + 1 if self.segments else 0] * len(ids)
        self.ids += ids


class BatchMaker:
    """Draws batches from tokenized documents; deterministic for a seed and a step number."""

    def __init__(
        self, documents: Sequence[TokenizedDocument], tokenizer: Encoder, seed: int, mix: Mix | None = None
    ) -> None:
        self.documents = documents
        self.tokenizer = tokenizer
        self.seed = seed
        self.mix = mix or Mix()
        self._siblings = Siblings(documents)
        self._weights = np.cumsum([len(d.ids) for d in documents])

    def draw(self, step: int, rows: int, canvases: int, width: int, length: int = CONTEXT) -> Batch:
        rng = random.Random(f"{self.seed}/{step}")
        drawn = [self._row(rng, canvases, width, length) for _ in range(rows)]
        begins = any(at != NOISE for row in drawn for at in row.begin)

        def stacked(values: Sequence[Sequence[int]]) -> Tensor:
            return torch.tensor(values, dtype=torch.long)

        return Batch(
            stacked([row.ids for row in drawn]),
            stacked([row.canvas for row in drawn]),
            stacked([row.hole for row in drawn]).bool(),
            stacked([row.filler for row in drawn]).bool(),
            stacked([row.cuts for row in drawn]),
            width,
            stacked([row.begin for row in drawn]) if begins else None,
            stacked([row.segments for row in drawn]) if self.mix.apart else None,
            sum(row.missing for row in drawn),
            Examples(
                stacked([ids for row in drawn for ids in row.examples]),
                stacked([answer for row in drawn for answer in row.answers]).bool(),
                stacked([row.example_cuts for row in drawn]),
            )
            if self.mix.examples
            else None,
        )

    def _row(self, rng: random.Random, canvases: int, width: int, length: int) -> _Row:
        row = _Row()
        while len(row.ids) < length:
            self._segment(rng, row, length - len(row.ids))
        while len(row.cuts) < canvases:
            self._canvas(rng, row, width, length)
        while len(row.example_cuts) < self.mix.examples:
            self._example(rng, row, length)
        return row

    def _document(self, rng: random.Random) -> TokenizedDocument:
        """One, the longer the likelier."""
        at = rng.randrange(int(self._weights[-1]))
        return self.documents[int(np.searchsorted(self._weights, at, side="right"))]

    def _segment(self, rng: random.Random, row: _Row, room: int) -> None:
        """One more, of at most `room` tokens."""
        document = self._document(rng)
        latest = int(np.searchsorted(document.starts, max(0, len(document.ids) - room + 1)))
        line = rng.randint(0, min(latest, len(document.lines) - 1))
        ids = [BOS]
        if rng.random() < self.mix.context:
            ids += self._siblings.before(document, line, room, self.tokenizer, rng)
        row.shown.append(_Shown(document, line, len(row.ids) + len(ids), len(row.ids)))
        start = int(document.starts[line])
        row.add(ids + document.ids[start : start + room - len(ids)].tolist())

    def _hole(self, rng: random.Random, row: _Row, length: int) -> tuple[_Shown, HoleCut] | None:
        """Somewhere on the row, unless the place that is tried has none."""
        shown = rng.choice(row.shown)
        document, line = shown.document, shown.line
        room = length - shown.at(line)
        end = int(np.searchsorted(document.starts, document.starts[line] + room, side="right")) - 1
        if end <= line:
            return None
        cut = cut_hole(document.lines, rng.randint(line, min(end, len(document.lines)) - 1), rng)
        return (shown, cut) if cut else None

    def _canvas(self, rng: random.Random, row: _Row, width: int, length: int) -> None:
        """One more canvas on the row, if the place that is tried has one."""
        if not (found := self._hole(rng, row, length)):
            return
        shown, cut = found
        document = shown.document
        drafted = rng.random() < self.mix.drafts
        several = self.mix.holes > 1 and not drafted  # only a single hole has drafts
        holes = rng.randint(2, self.mix.holes) if several else 1
        laid = lay_canvas(document, cut, self.tokenizer, width, rng, holes)
        if laid is None or laid.first < shown.line:
            return
        begin, hole, filler = [NOISE] * width, [False] * width, [False] * width
        for each in laid.holes:
            row.missing += each.middle
            stop = each.start + each.size
            hole[each.start : stop] = [True] * each.size
            filler[each.start + each.middle + 1 : stop] = [True] * (each.size - each.middle - 1)
        if drafted and (draft := composed(document, shown.line, cut, self.tokenizer, rng)):
            first = laid.holes[0]
            begin[first.start : first.start + first.size] = (draft + [GAP] * first.size)[: first.size]
        row.canvas += laid.ids
        row.begin += begin
        row.hole += hole
        row.filler += filler
        row.cuts.append(shown.at(laid.first))

    def _example(self, rng: random.Random, row: _Row, length: int) -> None:
        """One more example on the row, if the place that is tried has one."""
        if not (found := self._hole(rng, row, length)):
            return
        shown, cut = found
        head = self.tokenizer.encode(cut.head)
        first = begins_at(shown.document, cut.line, len(head), rng)
        if first < shown.line:
            return
        before = row.ids[shown.start : shown.at(first)]
        head = shown.document.between(first, cut.line) + head
        if made := fim.example(before, head, shown.document, cut, self.tokenizer):
            row.examples.append(made.ids + [PAD] * (fim.WIDTH - len(made.ids)))
            row.answers.append([made.answer <= at < len(made.ids) for at in range(fim.WIDTH)])
            row.example_cuts.append(shown.start + made.cut)
