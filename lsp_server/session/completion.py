"""Inline completion, from a place to what may be shown there: out of memory while the user types what was
offered, else by the pipeline. Knows no LSP types.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_fields

from lsp_server.infilling import pipeline
from lsp_server.infilling.pipeline import OnDraft
from lsp_server.session.session import Session
from lsp_server.session.suggestion_cache import Offer
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from model_runtime.protocol import Done, Infill, Refused

ALTERNATIVES = 3  # for who asks


@dataclass(frozen=True, slots=True)
class Selected:
    """The entry that is selected in the editor's completion menu: what it would replace, and by what."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class _Calm:
    """The worker, not asked before it is likely that its answer will be awaited."""

    session: Session

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        await self.session.pause()
        return await self.session.fill(request, on_draft)


@dataclass(frozen=True, slots=True)
class _Watched:
    """The worker, for a client that watches the canvas, or wants another number of steps."""

    worker: pipeline.Filler
    tokens: bool
    steps: int | None

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        asked = replace_fields(request, tokens=self.tokens, steps=self.steps)
        return await self.worker.fill(asked, on_draft)


async def complete(
    session: Session,
    snapshot: Snapshot,
    cursor: int | None,
    *,
    invoked: bool = False,
    selected: Selected | None = None,
    on_draft: OnDraft | None = None,
    tokens: bool = False,
    steps: int | None = None,
) -> list[Edit] | Refusal:
    """At least one edit, best first. Invoked: the user asked, so that there may be several, however unsure,
    and it may take longer. `tokens`: drafts say what is on the canvas. `steps`: at most so many, instead of
    as many as the model is best with."""
    if refusal := session.refusal(snapshot):
        return refusal
    if not invoked and not selected and (rest := session.rest_of_offer(snapshot, cursor)):
        session.displace(snapshot.uri)
        return list(rest)
    settings, asked, at = session.settings, snapshot, cursor
    if invoked:
        settings = replace(settings, confidence_threshold=0.0)
    if selected and cursor is not None:
        asked, at = _as_if(snapshot, selected)

    work = pipeline.alternatives(
        asked,
        at,
        _Watched(session if invoked else _Calm(session), tokens, steps),
        settings,
        session.parses,
        count=ALTERNATIVES if invoked else 1,
        invoked=invoked,
        on_draft=on_draft,
        context=session.context.gather,
    )
    outcome = await session.newest(snapshot, work)
    if isinstance(outcome, Refusal) or cursor is None:
        return outcome
    edits = [_with(selected, edit, at) for edit in outcome] if selected and at is not None else outcome
    session.remember(Offer(snapshot, cursor, tuple(edits)))
    return edits


def _as_if(snapshot: Snapshot, selected: Selected) -> tuple[Snapshot, int]:
    """The text and cursor after the menu's entry is taken."""
    text, span = snapshot.text, selected.span
    text = text[: span.start] + selected.text + text[span.end :]
    return replace(snapshot, text=text), span.start + len(selected.text)


def _with(selected: Selected, edit: Edit, cursor: int) -> Edit:
    """An edit of the text in which the entry is taken, as one of the text in which it is not.

    Its span lies at the cursor behind the entry, maybe reaching into it or into what follows.
    """
    kept = selected.text[: len(selected.text) - max(0, cursor - edit.span.start)]
    end = selected.span.end + max(0, edit.span.end - cursor)
    return replace(edit, span=Span(selected.span.start, end), text=kept + edit.text)
