"""What a client can do and wants, as it says in `initialize`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    # From `experimental.infill`.
    wants_drafts: bool = False
    wants_canvas: bool = False  # in its drafts
    wants_refusals: bool = False
    wants_status: bool = False
    wants_log: bool = False  # as messages, instead of on standard error
    asks_instructions: bool = False  # asks the user what a rewrite is to do
    # From the standard's capabilities.
    resolves_edits: bool = False  # asks for a code action's edit when it is chosen
    applies_edits: bool = False  # makes edits that the server asks for
    versioned_edits: bool = False  # takes edits of a version of a document
    annotated_edits: bool = False  # takes edits that the user is to confirm
    shows_progress: bool = False


def of(sent: types.ClientCapabilities) -> ClientCapabilities:
    wanted = _field(sent.experimental, "infill")
    resolved = get_capability(sent, "text_document.code_action.resolve_support.properties") or ()
    return ClientCapabilities(
        wants_drafts=_field(wanted, "drafts") is True,
        wants_canvas=_field(wanted, "canvas") is True,
        wants_refusals=_field(wanted, "refusals") is True,
        wants_status=_field(wanted, "status") is True,
        wants_log=_field(wanted, "log") is True,
        asks_instructions=_field(wanted, "instructions") is True,
        resolves_edits="edit" in resolved,
        applies_edits=bool(get_capability(sent, "workspace.apply_edit")),
        versioned_edits=bool(get_capability(sent, "workspace.workspace_edit.document_changes")),
        annotated_edits=get_capability(sent, "workspace.workspace_edit.change_annotation_support")
        is not None,
        shows_progress=bool(get_capability(sent, "window.work_done_progress")),
    )


def _field(value: Any, name: str) -> Any:
    """A field of free-form JSON, of which pygls makes objects or dicts."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
