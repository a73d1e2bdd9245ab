"""Our additions to the protocol, for a client that shows how a fill proceeds: drafts, refusals, and a request
with the number of steps.

Drafts and refusals are only shown: nothing here decides what is offered.
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
    """The parameters of `infill/draft`: the texts so far, and with `canvas` each token of it."""
    params = {**_place(snapshot.uri, position), "version": snapshot.version}
    params |= {"step": draft.step, "texts": list(draft.texts)}
    return params | ({"tokens": msgspec.to_builtins(draft.tokens)} if canvas else {})


def refused_params(refusal: Refusal, uri: str, position: types.Position) -> dict[str, Any]:
    """The parameters of `infill/refused`: why a request is answered with nothing."""
    return {**_place(uri, position), "reason": refusal.reason, "message": refusal.message}


def parse_completion(params: Any) -> tuple[types.InlineCompletionParams, int | None]:
    """The parameters of `infill/inlineCompletion`: those of the standard's request, and the number of steps.
    Raises JsonRpcInvalidParams."""
    try:
        at, kind = params.position, params.context.triggerKind
        standard = types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind(kind)),
            types.TextDocumentIdentifier(_checked(str, params.textDocument.uri)),
            types.Position(_checked(int, at.line), _checked(int, at.character)),
        )
        steps = getattr(params, "steps", None)
        if steps is not None and not 1 <= _checked(int, steps) <= MOST_STEPS:
            raise ValueError(steps)
    except (AttributeError, TypeError, ValueError):
        message = f"{COMPLETION} takes {{textDocument, position, context, steps}}; steps: 1 to {MOST_STEPS}"
        raise JsonRpcInvalidParams(message) from None
    return standard, steps


def _place(uri: str, position: types.Position) -> dict[str, Any]:
    return {"uri": uri, "position": {"line": position.line, "character": position.character}}


def _checked(kind: type, value: Any) -> Any:
    """The value, if it is of that kind; JSON's true is no number. Raises TypeError."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(value)
    return value
