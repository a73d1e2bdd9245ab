"""Where the new text goes: the hole around a cursor.

A hole is found from the text alone and is as small as it can be: text after the cursor is never part
of it, so it can only be repeated by mistake (see `edit`), not lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lsp_server.document import Refusal, Snapshot, Span

Kind = Literal[
    "rest-of-line",  # nothing but closing brackets, quotes and punctuation follows on the line
    "middle-of-line",  # code follows on the line
    "whole-line",  # only indentation stands before the cursor, nothing after it
]

CLOSERS = ")]}'\"`"

# Room for all but the longest ends of lines at 3-4 characters a token; a model may leave some unused.
_TOKENS: dict[Kind, int] = {"rest-of-line": 24, "middle-of-line": 16, "whole-line": 32}


@dataclass(frozen=True, slots=True)
class Hole:
    """`span` is what the new text replaces; all three kinds take text of one line only."""

    span: Span
    kind: Kind
    max_tokens: int


def find(snapshot: Snapshot, offset: int | None, max_tokens: int) -> Hole | Refusal:
    """The hole at a cursor; `offset` is None where the position named no place in the text."""
    if offset is None or not 0 <= offset <= len(snapshot.text):
        return Refusal("position", "the cursor is outside the document")
    line = line_at(snapshot.text, offset)
    before = snapshot.text[line.start : offset].strip()
    after = snapshot.text[offset : line.end].strip()
    kind: Kind = "middle-of-line"
    if not after.strip(CLOSERS + ",:; "):
        kind = "rest-of-line" if before or after else "whole-line"
    return Hole(Span(offset, offset), kind, min(_TOKENS[kind], max_tokens))


def line_at(text: str, offset: int) -> Span:
    """The line around an offset, without its line end."""
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    ends = [end for end in (text.find("\n", offset), text.find("\r", offset)) if end >= 0]
    return Span(start, min(ends, default=len(text)))
