"""A training canvas: the lines of a document around its holes, as the engine lays them out.

Holes are slots with slack, filled up with gap tokens after their text. Knows ids, not tensors.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.retrieval.ngram import NgramModel
from model_runtime.training.documents import Encoder, TokenizedDocument
from model_runtime.training.holes import HoleCut, cut_hole
from model_runtime.training.vocabulary import EOS, GAP, PAD

MAX_SLOT = 48  # tokens of a hole, slack included
SLOTS = (8, 12, 16, 24, 32, MAX_SLOT)
MAX_HEAD = 32  # pinned tokens before the first hole
LEAST_SUFFIX = 4  # tokens after the last hole
APART = 3  # lines at most between two holes
FOLLOWING = 40  # lines after the hole that a draft is composed with
DRAFTS = 4  # of the likeliest drafts, one begins a canvas


@dataclass(frozen=True)
class CanvasHole:
    start: int  # position on the canvas
    size: int  # of the slot
    middle: int  # tokens of the missing text


@dataclass(frozen=True)
class TrainingCanvas:
    ids: list[int]  # clean, as many as the canvas is wide
    holes: Sequence[CanvasHole]
    first: int  # the document's line at which the canvas begins


def lay_canvas(
    document: TokenizedDocument,
    hole: HoleCut,
    tokenizer: Encoder,
    width: int,
    rng: random.Random,
    holes: int = 1,
) -> TrainingCanvas | None:
    """A canvas with `holes` holes, or fewer where no more fit; None where not even `hole` fits.

    At run time canvases have several widths, so some suffixes are cut short here."""
    head = tokenizer.encode(hole.head)
    if len(head) > MAX_HEAD:
        return None
    first = begins_at(document, hole.line, len(head), rng)
    ids = document.between(first, hole.line) + head
    placed: list[CanvasHole] = []
    while slot := _slot(ids, hole, tokenizer, width, rng):
        middle, size = slot
        placed.append(CanvasHole(len(ids), size, len(middle)))
        ids += middle + [GAP] * (size - len(middle)) + tokenizer.encode(hole.tail + "\n")
        next_hole = _following(document, hole.next_line, rng) if len(placed) < holes else None
        if next_hole is None:
            break
        known = document.between(hole.next_line, next_hole.line) + tokenizer.encode(next_hole.head)
        if _slot(ids + known, next_hole, tokenizer, width, random.Random(0)) is None:
            break
        ids, hole = ids + known, next_hole
    if not placed:
        return None
    ids += [*document.ids[document.starts[hole.next_line] :][:width].tolist(), EOS]
    end = placed[-1].start + placed[-1].size
    shown = end + rng.randint(2, width) if rng.random() < 0.3 else width
    return TrainingCanvas((ids[: min(shown, width)] + [PAD] * width)[:width], placed, first)


def begins_at(document: TokenizedDocument, line: int, head: int, rng: random.Random) -> int:
    """The line from which on text is not part of the sequence, for a hole with `head` tokens before it on its
    `line`: at run time the lines typed since the prefix cache last moved are not in it either."""
    first, room = line, rng.randint(0, MAX_HEAD) if rng.random() < 0.5 else 0
    while first > 0 and document.starts[line] - document.starts[first - 1] + head <= room:
        first -= 1
    return first


def _following(document: TokenizedDocument, line: int, rng: random.Random) -> HoleCut | None:
    """A hole in one of the next lines, from `line` on."""
    for at in range(line + rng.randint(0, APART), min(line + 2 * APART, len(document.lines))):
        if found := cut_hole(document.lines, at, rng):
            return found
    return None


def _slot(
    ids: Sequence[int], hole: HoleCut, tokenizer: Encoder, width: int, rng: random.Random
) -> tuple[list[int], int] | None:
    """(the missing text, a size for it) of a hole after `ids`; None where it does not fit."""
    middle = tokenizer.encode(hole.middle)
    sizes = [s for s in SLOTS if s > len(middle) and s + len(ids) < width - LEAST_SUFFIX]
    return (middle, rng.choice(sizes)) if sizes and middle else None


def composed(
    document: TokenizedDocument, first: int, hole: HoleCut, tokenizer: Encoder, rng: random.Random
) -> list[int]:
    """A draft as the engine would compose it from the document, of which the lines from `first` on are seen;
    empty where there is none, and for holes of several lines, which have none."""
    if "\n" in hole.middle:
        return []
    before = "".join(line + "\n" for line in document.lines[first : hole.line]) + hole.head
    after = "\n".join([hole.tail, *document.lines[hole.next_line : hole.next_line + FOLLOWING]])
    found = NgramModel(before, after).compose()[:DRAFTS]
    return tokenizer.encode(rng.choice(found).text) if found else []
