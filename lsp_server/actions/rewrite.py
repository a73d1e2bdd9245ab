"""Rewriting many lines as an instruction says: block after block, each small enough for one answer.

Only a model that follows instructions can do it; with any other the worker refuses. Such a model may use
several canvases for one answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lsp_server.actions.action_request import ActionRequest, OnStep
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline, validation
from lsp_server.infilling.hole import Hole
from lsp_server.infilling.pipeline import Gather, no_context
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.lines import indentation, line_at
from lsp_server.text.syntax import Parses

BLOCK_TOKENS = 256  # at least, of a block's answer; a long block has a token for every two characters
BLOCK_LINES = 400  # at most, of a block's answer
BLOCK_CHARS = 4_000  # at most, of a block before it is rewritten
FULL_LINES = 120  # likewise


async def rewrite(
    snapshot: Snapshot,
    span: Span,
    instruction: str,
    request: ActionRequest,
    settings: Settings,
    parses: Parses,
    on_step: OnStep,
    context: Gather = no_context,
) -> tuple[Edit, ...] | Refusal:
    """The lines of a span, rewritten; later blocks see the earlier ones as rewritten."""
    if not instruction.strip():
        return Refusal(
            "instruction",
            "a rewrite needs an instruction: say what is to be changed, or write it as a comment into the "
            "first of the selected lines",
        )
    lines = Span(line_at(snapshot.text, span.start).start, line_at(snapshot.text, span.end).end)
    if not snapshot.text[lines.start : lines.end].strip():
        return Refusal("no-hole", "there is nothing to rewrite")
    request.instruction = instruction.strip()
    now, grown, last = snapshot, 0, None  # grown: characters that the text has gained so far
    pieces = list(blocks(snapshot.text, lines))
    for number, piece in enumerate(pieces, start=1):
        at = Span(piece.start + grown, piece.end + grown)
        indent = indentation(now.text[at.start : at.end])
        tokens = max(BLOCK_TOKENS, (at.end - at.start) // 2)
        hole = Hole(Span(at.start + len(indent), at.end), "selection", tokens, BLOCK_LINES, indent)
        request.original = now.text[hole.span.start : hole.span.end]
        (outcome,) = await pipeline.fill(now, [hole], request, settings, parses, context=context)
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
    """A span's lines in pieces, cut where the indentation is least, without the blank lines between them."""
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
    """The offset at which the block that begins at `start` ends."""
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
    """The start of the line after the one that ends at `line_end`."""
    if text.startswith("\r\n", line_end):
        return line_end + 2
    return line_end + 1
