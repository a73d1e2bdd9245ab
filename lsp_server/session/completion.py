"""Inline completion: from a cursor to what may be shown there.

While the user types what was suggested, the answer comes from memory; otherwise the pipeline asks the worker.
Knows no LSP types.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_fields

from lsp_server.infilling import pipeline
from lsp_server.infilling.pipeline import OnDraft
from lsp_server.session.monitored_worker import MonitoredWorker
from lsp_server.session.session import Session
from lsp_server.session.suggestion_cache import CachedSuggestion
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from model_runtime.protocol import Done, Infill, Refused

ALTERNATIVES = 3  # suggestions for a user who asks


@dataclass(frozen=True, slots=True)
class Selected:
    """The entry selected in the editor's completion menu: `text` would replace `span`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class _Debounced:
    """The worker, for automatic requests: each waits until it is likely that no newer one displaces it."""

    worker: MonitoredWorker

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        await self.worker.pause()
        return await self.worker.fill(request, on_draft)


@dataclass(frozen=True, slots=True)
class _WithOptions:
    """The worker, for a client that draws the canvas (`tokens`) or limits the number of steps."""

    worker: pipeline.Filler
    tokens: bool
    steps: int | None

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        request = replace_fields(request, tokens=self.tokens, steps=self.steps)
        return await self.worker.fill(request, on_draft)


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
    """At least one edit, best first. `invoked`: the user asked, so there may be several, with any confidence,
    and it may take longer. `tokens`: drafts say what is on the canvas. `steps`: at most so many, instead of
    the number that suits the model."""
    if refusal := session.refusal(snapshot) if invoked else session.silence(snapshot):
        return refusal
    if not invoked and not selected and (rest := session.rest_of_suggestion(snapshot, cursor)):
        session.displace(snapshot.uri)
        return list(rest)
    settings, text, at = session.settings, snapshot, cursor
    if invoked:
        settings = replace(settings, confidence_threshold=0.0)
    if selected and cursor is not None:
        text, at = _with_entry(snapshot, selected)
    worker = session.worker if invoked else _Debounced(session.worker)
    work = pipeline.alternatives(
        text,
        at,
        _WithOptions(worker, tokens, steps),
        settings,
        session.parses,
        count=ALTERNATIVES if invoked else 1,
        invoked=invoked,
        on_draft=on_draft,
        context=session.context.gather,
    )
    outcome = await session.run_latest(snapshot, work)
    if isinstance(outcome, Refusal) or cursor is None:
        return outcome
    edits = outcome
    if selected and at is not None:
        edits = [_without_entry(selected, edit, at) for edit in outcome]
    session.remember_suggestion(CachedSuggestion(snapshot, cursor, tuple(edits)))
    return edits


def _with_entry(snapshot: Snapshot, selected: Selected) -> tuple[Snapshot, int]:
    """The text and the cursor as they are once the menu's entry is inserted."""
    text, span = snapshot.text, selected.span
    text = text[: span.start] + selected.text + text[span.end :]
    return replace(snapshot, text=text), span.start + len(selected.text)


def _without_entry(selected: Selected, edit: Edit, cursor: int) -> Edit:
    """Turns an edit of the text with the entry inserted into one of the text without it.

    The edit's span lies at the cursor behind the entry, and may reach into the entry or into what follows.
    """
    kept = selected.text[: len(selected.text) - max(0, cursor - edit.span.start)]
    end = selected.span.end + max(0, edit.span.end - cursor)
    return replace(edit, span=Span(selected.span.start, end), text=kept + edit.text)
