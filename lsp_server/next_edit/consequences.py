"""Which problem the newest edit has brought about, of those that a client knows in the document.

A guess from words: the problem's line or message holds a name that the edit brought or took. Knows no parse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lsp_server.actions.actions import Diagnostic
from lsp_server.next_edit.history import Edited
from lsp_server.text.document import Snapshot
from lsp_server.text.lines import line_at

_NAME = re.compile(r"[^\W\d]\w\w+")


def caused(
    snapshot: Snapshot, cursor: int, edit: Edited, problems: Sequence[Diagnostic]
) -> Diagnostic | None:
    """The nearest to the cursor, if any; not in the lines of the edit, which may be unfinished."""
    changed = _names("\n".join(edit.before)) ^ _names("\n".join(edit.after))
    for each in sorted(problems, key=lambda each: abs(each.span.start - cursor)):
        line = line_at(snapshot.text, each.span.start)
        number = snapshot.first_line + snapshot.text.count("\n", 0, line.start)
        said = _names(snapshot.text[line.start : line.end]) | _names(each.message)
        if changed & said and not edit.overlaps(snapshot.uri, number, number):
            return each
    return None


def _names(text: str) -> set[str]:
    return set(_NAME.findall(text))
