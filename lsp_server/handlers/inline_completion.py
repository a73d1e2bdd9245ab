"""Text at the cursor and the next edit: parameters in; out, as LSP has it, what `completion` and `next_edit`
make of them.
"""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from lsp_server.actions import rename_followup
from lsp_server.handlers.extensions import DRAFT, draft_params
from lsp_server.handlers.support import Client, accepted, inside, range_of, span_of
from lsp_server.session.completion import Selected, complete
from lsp_server.text.document import Refusal
from model_runtime.protocol import Draft


async def inline_completion(
    ls: Client, params: types.InlineCompletionParams, steps: int | None = None
) -> types.InlineCompletionList | Refusal:
    """`steps`: of the fill, instead of as many as the model is best with."""
    uri, position, session = params.text_document.uri, params.position, ls.session
    if (place := session.place(uri, position.line, position.character)) is None:
        return Refusal("not-open", "the document is not open")
    snapshot, cursor = place
    info, selected = params.context.selected_completion_info, None
    if info and (span := span_of(snapshot, info.range, session)):
        selected = Selected(span, info.text)

    def send_draft(draft: Draft) -> None:
        ls.send(DRAFT, draft_params(draft, snapshot, position, canvas=ls.wants_canvas))

    # Who asked sees it resolve. Unasked, what resolves may be dropped as unsure: it would only flash.
    invoked = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    outcome = await complete(
        session,
        snapshot,
        cursor,
        invoked=invoked,
        selected=selected,
        on_draft=send_draft if ls.wants_canvas or (invoked and ls.wants_drafts) else None,
        tokens=ls.wants_canvas,
        steps=steps,
    )
    if isinstance(outcome, Refusal):
        return outcome
    return types.InlineCompletionList(
        [
            types.InlineCompletionItem(
                insert_text=edit.text, range=range_of(snapshot, edit.span, session), command=accepted(edit)
            )
            for edit in outcome
        ]
    )


def copilot_inline_edit(ls: Client, params: Any) -> dict[str, Any]:
    """The next edit, as clients of GitHub's language server ask for it: never null, the version echoed."""
    document, position, session = params.textDocument, params.position, ls.session
    place = session.place(document.uri, position.line, position.character)
    version = getattr(document, "version", None)
    if place is None or (cursor := place[1]) is None or version not in (None, place[0].version):
        return {"edits": []}
    if session.refusal(snapshot := place[0]):
        return {"edits": []}
    found = rename_followup.find(snapshot, cursor, session.renames(document.uri), session.parses)
    shown = () if isinstance(found, Refusal) else found
    return {
        "edits": [
            {
                "textDocument": {"uri": document.uri, "version": snapshot.version},
                "range": range_of(snapshot, edit.span, session),
                "text": edit.text,
                "command": accepted(edit),
            }
            for edit in shown
            if inside(session, snapshot, edit)
        ]
    }
