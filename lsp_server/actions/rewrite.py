"""Rewriting many lines with an instruction: block after block, each as large as one answer should be.

Only a model that follows instructions can do it; the worker knows whether its model does, and refuses. Such
a model answers in as many canvases as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lsp_server.actions.action_request import Asked, OnStep
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline, validation
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.lines import indentation, line_at
from lsp_server.text.syntax import Parses

BLOCK_TOKENS = 256  # of a short block's answer; a long one has a token for every two characters
BLOCK_CHARS = 4_000  # of a block before it is rewritten
BLOCK_LINES = 400
FULL_LINES = 120  # before it is rewritten


async def rewrite(
    snapshot: Snapshot,
    span: Span,
    instruction: str,
    worker: Asked,
    settings: Settings,
    parses: Parses,
    on_step: OnStep,
) -> tuple[Edit, ...] | Refusal:
    """The lines of a span, rewritten; later blocks see what has become of the earlier ones."""
    if not instruction.strip():
        return Refusal("instruction", "a rewrite needs an instruction: say what is to be changed")
    lines = Span(line_at(snapshot.text, span.start).start, line_at(snapshot.text, span.end).end)
    if not snapshot.text[lines.start : lines.end].strip():
        return Refusal("no-hole", "there is nothing to rewrite")
    worker.instruction = instruction.strip()
    now, grown, last = snapshot, 0, None
    pieces = list(blocks(snapshot.text, lines))
    for number, piece in enumerate(pieces, start=1):
        at = Span(piece.start + grown, piece.end + grown)
        indent = indentation(now.text[at.start : at.end])
        tokens = max(BLOCK_TOKENS, (at.end - at.start) // 2)
        hole = Hole(Span(at.start + len(indent), at.end), "selection", tokens, BLOCK_LINES, indent)
        worker.original = now.text[hole.span.start : hole.span.end]
        (outcome,) = await pipeline.fill(now, [hole], worker, settings, parses)
        if isinstance(outcome, Refusal):
            if outcome.reason != "same":
                return outcome
        else:
            text = now.text[: outcome.span.start] + outcome.text + now.text[outcome.span.end :]
            grown, last = grown + len(text) - len(now.text), outcome
            now = replace(now, text=text)
        on_step(f"{number} of {len(pieces)} blocks", round(100 * number / len(pieces)))
    if last is None:
        return Refusal("same", "the model would leave it as it is")
    whole = replace(last, span=lines, text=now.text[lines.start : lines.end + grown])
    return validation.minimal(snapshot, whole)


def blocks(text: str, span: Span) -> Iterator[Span]:
    """Whole lines of a span in pieces, cut where the indentation is least; blank lines stay out."""
    start, end = span.start, span.end
    while start < end:
        line = line_at(text, start)
        if not text[line.start : line.end].strip():
            start = _next(text, line.end)
            continue
        cut = _cut(text, start, end)
        yield Span(start, start + len(text[start:cut].rstrip()))
        start = _next(text, cut)


def _cut(text: str, start: int, end: int) -> int:
    """The end of the lines from `start` that make one block."""
    best, least, at, count = None, None, start, 0
    while at < end:
        line = line_at(text, at)
        count += 1
        if best is not None and (line.end - start > BLOCK_CHARS or count > FULL_LINES):
            break
        following = line_at(text, _next(text, line.end))
        depth = len(indentation(text[following.start : following.end]))
        if line.end >= end:
            return min(line.end, end)
        if least is None or depth <= least:
            best, least = line.end, depth
        at = following.start
    return best if best is not None else end


def _next(text: str, line_end: int) -> int:
    """The start of the line below one that ends there."""
    if text.startswith("\r\n", line_end):
        return line_end + 2
    return line_end + 1
