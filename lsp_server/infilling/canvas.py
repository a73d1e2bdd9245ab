"""What the model is shown of a document: a prefix of whole lines, and the canvas around the holes.

The prefix is encoded and cached by the worker, so it must not change while a line is typed. It ends before
the cursor's line. In a long file it begins on a block boundary, counted in lines of the document, so that its
beginning moves only once in a block of new lines. The text has \\n line ends and no lone surrogates.
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
    """How much text is sent. The worker, which can count tokens, cuts further."""

    prefix_chars: int = 8_000  # about 2,400 tokens
    prefix_block: int = 32  # lines
    head_chars: int = 1_000  # of the cursor's line, before the cursor
    suffix_lines: int = 40  # the rest of the cursor's line is one of them
    suffix_chars: int = 2_000


@dataclass(frozen=True, slots=True)
class Canvas:
    """`prefix` is whole lines; `pieces` hold one Slot for each hole and no empty Fixed."""

    prefix: str
    pieces: tuple[Fixed | Slot, ...]


def build(snapshot: Snapshot, holes: Sequence[Hole], budget: Budget | None = None) -> Canvas:
    """For one or more holes, in order. Whether the model's canvas has room for all is not checked."""
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
    """The text with \\n line ends, and U+FFFD for what UTF-8 cannot carry."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _prefix(snapshot: Snapshot, end: int, budget: Budget) -> str:
    """The lines before `end` that fit the budget, from the first block boundary among them on; all of them
    where there is none."""
    text = snapshot.text
    # Twice the room holds all that can fit, as a \r\n becomes one character. The first line may be cut, but
    # it never fits.
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
    """What follows the hole, cut at a line if possible. At least a line end: a file that ends at the hole is
    about to get one."""
    rest_end = line_at(text, start).end
    if not text[start:rest_end].strip():
        start = rest_end  # models do not expect trailing blanks
    full = normalize(text[start : start + 2 * budget.suffix_chars + 1])
    kept = full[: budget.suffix_chars]
    if len(kept) < len(full):
        kept = kept[: kept.rfind("\n") + 1] or kept
    lines = kept.split("\n")
    if len(lines) > budget.suffix_lines:
        kept = "".join(line + "\n" for line in lines[: budget.suffix_lines])
    return kept or "\n"
