"""A client that watches fills: what it is told of each step, and how it asks for more of them.

What it sees is only shown; nothing here has a say in what is offered.
"""

from __future__ import annotations

from typing import Any

import msgspec
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from lsp_server.text.document import Refusal, Snapshot
from model_runtime.protocol import MOST_STEPS, Draft

DRAFT = "infill/draft"
REFUSED = "infill/refused"
COMPLETION = "infill/inlineCompletion"


def draft_params(
    draft: Draft, snapshot: Snapshot, position: types.Position, *, canvas: bool
) -> dict[str, Any]:
    told = {**_place(snapshot.uri, position), "version": snapshot.version}
    told |= {"step": draft.step, "texts": list(draft.texts)}
    return told | ({"tokens": msgspec.to_builtins(draft.tokens)} if canvas else {})


def refused_params(refusal: Refusal, uri: str, position: types.Position) -> dict[str, Any]:
    return {**_place(uri, position), "reason": refusal.reason, "message": refusal.message}


def asked(params: Any) -> tuple[types.InlineCompletionParams, int | None]:
    """The parameters of `infill/inlineCompletion`: those of the standard's request, and how many steps."""
    try:
        at, kind = params.position, params.context.triggerKind
        standard = types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind(kind)),
            types.TextDocumentIdentifier(_is(str, params.textDocument.uri)),
            types.Position(_is(int, at.line), _is(int, at.character)),
        )
        steps = getattr(params, "steps", None)
        if steps is not None and not 1 <= _is(int, steps) <= MOST_STEPS:
            raise ValueError(steps)
    except (AttributeError, TypeError, ValueError):
        message = f"{COMPLETION} takes {{textDocument, position, context, steps}}; steps: 1 to {MOST_STEPS}"
        raise JsonRpcInvalidParams(message) from None
    return standard, steps


def _place(uri: str, position: types.Position) -> dict[str, Any]:
    return {"uri": uri, "position": {"line": position.line, "character": position.character}}


def _is(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(value)
    return value
