"""Fixing the problem that a diagnostic tells of: its statement is a hole that is filled anew, or a model that
rewrites regions writes the lines around it.

Either way nothing is offered that does not parse, or no better than what is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lsp_server.actions import targets
from lsp_server.actions.action_request import ActionRequest
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline
from lsp_server.infilling.pipeline import Gather, no_context
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses, Syntax

# One edit for the lines around a problem: given a worker, settings, what the problem is, and the text of
# other documents that the model may read.
ByRegion = Callable[[ActionRequest, Settings, str, tuple[str, ...]], Awaitable[Edit | Refusal]]


async def fix(
    snapshot: Snapshot,
    span: Span,
    message: str,
    request: ActionRequest,
    settings: Settings,
    parses: Parses,
    context: Gather = no_context,
    by_region: ByRegion | None = None,
) -> Edit | Refusal:
    """One edit for what is wrong in a span, as `message` says."""
    syntax = parses.around(snapshot, span.start)
    if by_region:
        pieces = context(snapshot, span.start, syntax)
        outcome = await by_region(request, settings, message, pieces)
    elif syntax is None:
        return Refusal("no-grammar", f"this needs a grammar, and there is none for {snapshot.language}")
    else:
        outcome = await _in_a_hole(snapshot, syntax, span, message, request, settings, parses, context)
    if isinstance(outcome, Edit) and syntax and not _parses_better(snapshot, syntax, outcome):
        return Refusal("parse", "what the model wrote parses no better than what is there")
    return outcome


async def _in_a_hole(
    snapshot: Snapshot,
    syntax: Syntax,
    span: Span,
    message: str,
    request: ActionRequest,
    settings: Settings,
    parses: Parses,
    context: Gather,
) -> Edit | Refusal:
    hole = targets.to_fix(snapshot, syntax, span, settings)
    if isinstance(hole, Refusal):
        return hole
    request.note = targets.as_comment(snapshot, span, message)
    request.task = (
        f"The code in its place has a problem, which is to be fixed: {message.strip()}\n"
        f"The code:\n{snapshot.text[hole.span.start : hole.span.end]}"
    )
    (outcome,) = await pipeline.fill(snapshot, [hole], request, settings, parses, context=context)
    return outcome


def _parses_better(snapshot: Snapshot, syntax: Syntax, fixed: Edit) -> bool:
    """Whether nothing is wrong after an edit, or less than before; true of one that reaches beyond the text
    that was parsed."""
    first, last = fixed.span.start - syntax.start, fixed.span.end - syntax.start
    if first < 0 or syntax.text[first:last] != snapshot.text[fixed.span.start : fixed.span.end]:
        return True
    after = syntax.replaced(fixed.span, fixed.text).errors
    return after == 0 or after < syntax.errors
