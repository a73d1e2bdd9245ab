"""Who proposed an edit."""

from __future__ import annotations

from lsp_server.text.document import Edit

RULES = frozenset({"rename", "call", "addition", "repeat"})


def lane_of(edit: Edit) -> str:
    return "rules" if RULES.issuperset(edit.sources) else edit.sources[0]
