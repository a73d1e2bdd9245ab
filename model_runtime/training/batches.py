"""Training batches: sequences for the encoder, and canvases on them.

One encoder pass over a sequence serves several canvases. The encoder is causal and the decoder only reads its
keys and values, so each canvas sees the sequence up to its own cut.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from model_runtime.training.geometry import CONTEXT
from model_runtime.training.holes import HoleCut, cut_hole
from model_runtime.training.vocabulary import BOS, EOS, GAP, PAD

MIN_SLOT, MAX_SLOT = 8, 48  # tokens of a hole, slack included
MAX_HEAD = 32  # pinned tokens before the hole


class Encoder(Protocol):
    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class TokenizedDocument:
    lines: list[str]  # without line ends
    ids: np.ndarray  # uint16, all lines with their newline tokens
    starts: np.ndarray  # int32 [len(lines) + 1]: first token of each line


@dataclass(frozen=True)
class Batch:
    """B sequences of P tokens, K canvases of C tokens on each, flattened to [B, K * C]."""

    sequence: Tensor  # [B, P]
    canvas: Tensor  # [B, K * C], clean ids
    hole: Tensor  # bool [B, K * C]
    filler: Tensor  # bool [B, K * C]: hole positions after the first gap token
    cuts: Tensor  # [B, K]: prefix tokens canvas k may see
    width: int  # C


def tokenize(text: str, tokenizer: Encoder) -> TokenizedDocument:
    """Of a tokenizer with fewer than 65,536 ids, in which a newline is always a token of its own."""
    ids = np.asarray(tokenizer.encode(text if text.endswith("\n") else text + "\n"), dtype=np.uint16)
    lines = text.removesuffix("\n").split("\n")
    newline = tokenizer.encode("\n")[0]
    starts = np.concatenate([[0], np.flatnonzero(ids == newline) + 1]).astype(np.int32)
    assert len(starts) == len(lines) + 1, "a newline must always be a token of its own"
    return TokenizedDocument(lines, ids, starts)


def lay_canvas(
    document: TokenizedDocument, hole: HoleCut, tokenizer: Encoder, width: int, rng: random.Random
) -> tuple[list[int], slice, int, int] | None:
    """(clean ids of length `width`, hole slice, middle length, first line that is on the canvas).

    None where it does not fit. At run time canvases have several widths, so some suffixes are cut short here.
    At run time the lines typed since the prefix cache last moved are on the canvas before the head, so some
    whole lines are put there here too."""
    middle = tokenizer.encode(hole.middle)
    if not 0 < len(middle) < MAX_SLOT:
        return None
    head = tokenizer.encode(hole.head)
    if len(head) > MAX_HEAD:
        return None
    first = hole.line
    room = rng.randint(0, MAX_HEAD) if rng.random() < 0.5 else 0  # tokens for those lines
    while first > 0 and document.starts[hole.line] - document.starts[first - 1] + len(head) <= room:
        first -= 1
    pinned = document.ids[document.starts[first] : document.starts[hole.line]].tolist() + head
    slots = [s for s in (8, 12, 16, 24, 32, MAX_SLOT) if s > len(middle) and s + len(pinned) < width - 4]
    if not slots:
        return None
    slot = rng.choice(slots)
    suffix = tokenizer.encode(hole.tail + "\n")
    rest = document.ids[document.starts[hole.next_line] :][:width].tolist()
    ids = pinned + middle + [GAP] * (slot - len(middle)) + suffix + rest + [EOS]
    shown = len(pinned) + slot + rng.randint(2, width) if rng.random() < 0.3 else width
    ids = (ids[: min(shown, width)] + [PAD] * width)[:width]
    return ids, slice(len(pinned), len(pinned) + slot), len(middle), first


class BatchMaker:
    """Draws batches from tokenized documents; deterministic for a seed and a step number."""

    def __init__(self, documents: Sequence[TokenizedDocument], tokenizer: Encoder, seed: int) -> None:
        self.documents = documents
        self.tokenizer = tokenizer
        self.seed = seed
        self.weights = np.cumsum([len(d.ids) for d in documents])

    def _window(self, rng: random.Random, length: int) -> tuple[list[int], list[tuple[int, int, int]]]:
        """Token ids of `length`, and (document, first line, token offset) of each piece in it."""
        ids: list[int] = []
        pieces = []
        while len(ids) < length:
            d = int(np.searchsorted(self.weights, rng.randrange(int(self.weights[-1])), side="right"))
            document = self.documents[d]
            room = length - len(ids) - 1
            latest = int(np.searchsorted(document.starts, max(0, len(document.ids) - room)))
            line = rng.randint(0, min(latest, len(document.lines) - 1))
            pieces.append((d, line, len(ids) + 1))
            start = int(document.starts[line])
            ids += [BOS, *document.ids[start : start + room].tolist()]
        return ids[:length], pieces

    def draw(self, step: int, rows: int, canvases: int, width: int, length: int = CONTEXT) -> Batch:
        rng = random.Random(f"{self.seed}/{step}")
        sequences, all_ids, holes, fillers, cuts = [], [], [], [], []
        for _ in range(rows):
            sequence, pieces = self._window(rng, length)
            row_ids: list[int] = []
            row_hole = np.zeros(canvases * width, dtype=bool)
            row_filler = np.zeros(canvases * width, dtype=bool)
            row_cuts: list[int] = []
            while len(row_cuts) < canvases:
                d, line, offset = rng.choice(pieces)
                document = self.documents[d]
                base = int(document.starts[line])
                end = int(np.searchsorted(document.starts, base + length - offset, side="right")) - 1
                if end <= line:
                    continue
                cut = cut_hole(document.lines, rng.randint(line, min(end, len(document.lines)) - 1), rng)
                canvas = cut and lay_canvas(document, cut, self.tokenizer, width, rng)
                if not canvas or canvas[3] < line:
                    continue
                ids, slot, middle, first = canvas
                at = len(row_cuts) * width
                row_hole[at + slot.start : at + slot.stop] = True
                row_filler[at + slot.start + middle + 1 : at + slot.stop] = True
                row_ids += ids
                row_cuts.append(offset + int(document.starts[first]) - base)
            sequences.append(sequence)
            all_ids.append(row_ids)
            holes.append(row_hole)
            fillers.append(row_filler)
            cuts.append(row_cuts)
        return Batch(
            torch.tensor(sequences),
            torch.tensor(all_ids) if canvases else torch.zeros(rows, 0, dtype=torch.long),
            torch.from_numpy(np.stack(holes)),
            torch.from_numpy(np.stack(fillers)),
            torch.tensor(cuts, dtype=torch.long).reshape(rows, canvases),
            width,
        )
