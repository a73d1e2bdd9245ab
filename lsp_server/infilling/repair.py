"""The repair of a fill that does not parse: only its faulty part is denoised again, the rest is kept.

Plans the second request; `single_hole` makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsp_server.infilling.canvas import normalize
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Span
from lsp_server.text.lines import line_end
from lsp_server.text.syntax import Syntax
from model_runtime.protocol import Fixed, Slot

CHARS_PER_TOKEN = 3
SPARE_TOKENS = 4  # room beyond that of the faulty text


@dataclass(frozen=True, slots=True)
class Repair:
    """What is kept of a fill, and the room for new text in between."""

    before: str
    after: str
    tokens: int

    def canvas(self, pieces: Sequence[Fixed | Slot]) -> tuple[Fixed | Slot, ...]:
        """The canvas of a request for the hole, with only the faulty part left to denoise. Holds no empty
        Fixed, and no two in a row."""
        found: list[Fixed | Slot] = []
        for piece in self._spread(pieces):
            if isinstance(piece, Fixed) and found and isinstance(last := found[-1], Fixed):
                found[-1] = Fixed(last.text + piece.text)
            elif piece != Fixed(""):
                found.append(piece)
        return tuple(found)

    def _spread(self, pieces: Sequence[Fixed | Slot]) -> Iterator[Fixed | Slot]:
        for piece in pieces:
            if isinstance(piece, Slot):
                yield from (Fixed(self.before), Slot(self.tokens), Fixed(self.after))
            else:
                yield piece


def plan(text: str, known: str, hole: Hole, syntax: Syntax) -> Repair | None:
    """How to repair `text`, a fill of the hole in the document's text `known`. None where no part of the fill
    itself is faulty, or nothing would be kept."""
    text = "\n".join(normalize(text).split("\n")[: hole.lines])
    written = text.replace("\n", line_end(known))
    start = hole.span.start + len(hole.lead)
    after = syntax.replaced(hole.span, hole.lead + written + hole.trail)
    faulty = after.unexpected(Span(start, start + len(written)))
    if not faulty:
        return None
    first, last = min(each.start for each in faulty) - start, max(each.end for each in faulty) - start
    before, rest = normalize(written[:first]), normalize(written[last:])
    if not (before + rest).strip():
        return None
    tokens = min(hole.max_tokens, SPARE_TOKENS + (last - first) // CHARS_PER_TOKEN)
    return Repair(before, rest, tokens)
