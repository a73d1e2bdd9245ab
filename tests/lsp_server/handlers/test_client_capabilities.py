"""What a client says of itself in `initialize`."""

from __future__ import annotations

import types
from typing import Any

import pytest
from lsprotocol import types as lsp

from lsp_server.handlers import client_capabilities
from lsp_server.handlers.client_capabilities import ClientCapabilities
from tests.support.code_actions import ABLE


def as_object(value: Any) -> Any:
    """Free-form JSON as pygls makes it."""
    if not isinstance(value, dict):
        return value
    return types.SimpleNamespace(**{name: as_object(each) for name, each in value.items()})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, ClientCapabilities()),
        ({"experimental": None}, ClientCapabilities()),
        ({"experimental": {"infill": "all"}}, ClientCapabilities()),
        ({"experimental": {"infill": {"drafts": 1, "status": "yes"}}}, ClientCapabilities()),  # not `true`
        (
            {"experimental": {"infill": {"drafts": True, "status": True}}},
            ClientCapabilities(wants_drafts=True, wants_status=True),
        ),
        (
            {"experimental": {"infill": {"canvas": True, "refusals": True}}},
            ClientCapabilities(wants_canvas=True, wants_refusals=True),
        ),
        (
            {"experimental": {"infill": {"log": True, "instructions": True}}},
            ClientCapabilities(wants_log=True, asks_instructions=True),
        ),
        (
            ABLE,
            ClientCapabilities(
                resolves_edits=True, applies_edits=True, versioned_edits=True, shows_progress=True
            ),
        ),
        (
            {
                "text_document": lsp.TextDocumentClientCapabilities(
                    code_action=lsp.CodeActionClientCapabilities(
                        resolve_support=lsp.ClientCodeActionResolveOptions(["command"])
                    )
                )
            },
            ClientCapabilities(),
        ),
    ],
)
@pytest.mark.parametrize("experimental", [lambda value: value, as_object], ids=["dicts", "objects"])
def test_capabilities(sent: dict[str, Any], expected: ClientCapabilities, experimental: Any) -> None:
    sent = sent | {"experimental": experimental(sent.get("experimental"))}
    assert client_capabilities.of(lsp.ClientCapabilities(**sent)) == expected
