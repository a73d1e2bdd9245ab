"""The lane without a model: what follows from the last edits by rule, or nothing.

The first rule that finds a place that no filter objects to wins.
"""

from __future__ import annotations

from collections.abc import Iterator

from lsp_server.next_edit import additions, filters, renames, repeats, signatures
from lsp_server.next_edit.history import EditHistory
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import REGION_S, Parses, Syntax, parse

# Confidence: what a grammar settles is certain; of the others, the share that was useful on dev projects.
RENAMED = 1.0
RENAMED_IN_FILE = 0.8
ADDED = 0.6
CALLED = 0.5  # too rare there to have a share
MOST_PLACES = 32  # that one rule offers

Found = tuple[Span, str, float]  # span, new text, confidence


def suggest(
    snapshot: Snapshot, cursor: int, history: EditHistory, parses: Parses
) -> tuple[Edit, ...] | Refusal:
    """Edits by one rule, the nearest to the cursor first."""
    refusal = Refusal("no-next-edit", "nothing follows from the last edits")
    language = by_id(snapshot.language)
    if not history.recent() or language is None or language.fences:
        return refusal
    if (syntax := parse(snapshot.text, language, REGION_S)) is None:
        return refusal
    for rule, found in _found(snapshot, history, parses, syntax):
        edits = []
        for span, text, confidence in sorted(found, key=lambda it: abs(it[0].start - cursor))[:MOST_PLACES]:
            edit = Edit(snapshot.uri, snapshot.version, span, text, confidence, 0, 0.0, (rule,))
            objection = filters.objection(snapshot, edit, cursor, history, syntax)
            if objection is None:
                edits.append(edit)
            elif refusal.reason in ("no-next-edit", "confidence"):
                refusal = objection
        if edits:
            return tuple(edits)
    return refusal


def _found(
    snapshot: Snapshot, history: EditHistory, parses: Parses, syntax: Syntax
) -> Iterator[tuple[str, list[Found]]]:
    """What each rule proposes, the surest rule first. `syntax` is the parse of all of the snapshot."""
    edits = history.all(snapshot.uri)
    yield "rename", [(*use, RENAMED) for use in renames.in_scope(snapshot, edits, parses)]
    yield "rename", [(*use, RENAMED_IN_FILE) for use in renames.in_file(snapshot, edits, syntax)]
    yield "call", [(*place, CALLED) for place in signatures.places(snapshot, edits, syntax)]
    yield "addition", [(*place, ADDED) for place in additions.places(snapshot, history.recent())]
    for pattern in repeats.patterns(history.recent()):
        found = repeats.places(snapshot, pattern, syntax)
        yield "repeat", [(span, text, evidence.confidence) for span, text, evidence in found]
