"""What the model is shown of a document: stable whole lines before, and the canvas around the hole.

The prefix goes through the causal encoder and its cache, so it must not change while a line is being
typed: it ends before the cursor's line, and where a long file is cut, the cut stays on a block
boundary, counted in the document's lines, and moves once in a block's worth of new lines. Text here has
\\n line ends and no lone surrogates, whatever the document has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Snapshot
from lsp_server.text.lines import line_at
from model_runtime.protocol import Fixed, Slot

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Budget:
    """How much text is sent; the worker, which can count tokens, trims further."""

    prefix_chars: int = 8_000  # about 2,400 tokens
    prefix_block: int = 32  # lines
    head_chars: int = 1_000  # of the cursor's line, before the cursor
    suffix_lines: int = 40  # with the rest of the cursor's line
    suffix_chars: int = 2_000


@dataclass(frozen=True, slots=True)
class Canvas:
    """`prefix` is whole lines; `pieces` hold one Slot for each hole and no empty Fixed."""

    prefix: str
    pieces: tuple[Fixed | Slot, ...]


def build(snapshot: Snapshot, holes: Sequence[Hole], budget: Budget | None = None) -> Canvas:
    """For one or more holes, in order. Whether a model's canvas has room for all is not known here."""
    budget = budget or Budget()
    text, first = snapshot.text, holes[0].span.start
    line = line_at(text, first)
    known = text[max(line.start, first - budget.head_chars) : first]
    pieces: list[Fixed | Slot] = []
    for hole, following in zip(holes, [*holes[1:], None], strict=True):
        pieces += [Fixed(normalize(known + hole.lead)), Slot(hole.max_tokens)]
        known = hole.trail + (text[hole.span.end : following.span.start] if following else "")
    end = holes[-1].span.end
    pieces.append(Fixed(normalize(known) + _suffix(text, end, budget)))
    return Canvas(
        prefix=_prefix(snapshot, line.start, budget),
        pieces=tuple(piece for piece in pieces if piece != Fixed("")),
    )


def normalize(text: str) -> str:
    """\\n line ends only, and nothing that UTF-8 cannot carry."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _prefix(snapshot: Snapshot, end: int, budget: Budget) -> str:
    """The lines before `end` from a block boundary on; from any line where no boundary is near enough."""
    text = snapshot.text
    # Twice the room holds all that can fit, as a \r\n shrinks to one character; its first line, which
    # may be cut, is always one too many.
    lines = normalize(text[max(0, end - 2 * budget.prefix_chars - 2) : end]).split("\n")[:-1]
    first, room = len(lines), budget.prefix_chars
    while first and (room := room - len(lines[first - 1]) - 1) >= 0:
        first -= 1
    unseen = snapshot.first_line + text.count("\n", 0, end) - len(lines)
    if "\r" in text:
        unseen += text.count("\r", 0, end) - text.count("\r\n", 0, end)
    on_boundary = -(-(unseen + first) // budget.prefix_block) * budget.prefix_block - unseen
    kept = lines[on_boundary if on_boundary < len(lines) else first :]
    return "".join(line + "\n" for line in kept)


def _suffix(text: str, start: int, budget: Budget) -> str:
    """What follows the hole, whole lines where it has to be cut; the line end at least, which a file that
    ends here is about to get."""
    rest_end = line_at(text, start).end
    if not text[start:rest_end].strip():
        start = rest_end  # blanks after the cursor say nothing, and no model expects them
    full = normalize(text[start : start + 2 * budget.suffix_chars + 1])
    kept = full[: budget.suffix_chars]
    if len(kept) < len(full):
        kept = kept[: kept.rfind("\n") + 1] or kept
    lines = kept.split("\n")
    if len(lines) > budget.suffix_lines:
        kept = "".join(line + "\n" for line in lines[: budget.suffix_lines])
    return kept or "\n"
