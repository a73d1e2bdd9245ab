"""What other text the model may see: chosen from what is known of other documents and files.

Choosing takes less than a millisecond: it looks only at what is in memory by then (`following`). What does
not depend on the characters typed stays the same while a line is typed. Knows no LSP.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable, Sequence

from lsp_server.context.document_tracker import Cleaned, Following
from lsp_server.infilling import canvas
from lsp_server.text.document import Snapshot
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import Syntax

from . import snippet_retrieval

# Most characters of each source, in the order in which a request has them: most relevant last.
BUDGETS = {
    "recent": 2_000,  # regions of other documents that were edited last
    "imports": 1_500,  # the document's own, where a long file's prefix begins below them
    "signatures": 1_500,  # of what the code around the hole calls
    "diagnostics": 500,  # what is wrong at the hole, if the request is about that
    "similar": 5_000,  # places in other files that go on after the same text
}
SCOPE = 4_000  # bytes of the code around the hole whose calls count
TEXTS = 400_000  # characters that are searched for similar places at each request: half a millisecond
_CALLED = re.compile(r"(\w+)\s*\(")


class Context:
    def __init__(self, following: Following) -> None:
        self._following = following
        self._last: tuple[object, list[str]] = ((), [])

    def gather(
        self, snapshot: Snapshot, offset: int, syntax: Syntax | None, diagnostics: Sequence[Cleaned] = ()
    ) -> tuple[str, ...]:
        """Other text for a hole at `offset`, most relevant last, each with a line that says whence."""
        line = snapshot.first_line + snapshot.text.count("\n", 0, offset)
        key = self._following.use(snapshot.uri, line)
        workspace = self._following.workspace
        known = by_id(snapshot.language)
        language, mark = (known.id, known.comment) if known else (snapshot.language, "#")

        def said(pieces: Iterable[tuple[str, str]], source: str) -> list[str]:
            room, kept = BUDGETS[source], []
            for whence, text in reversed(list(pieces)):  # where room is short, the best count
                piece = f"{mark} {self._name(whence)}\n{text}\n"
                if (room := room - len(piece)) >= 0:
                    kept.append(piece)
            return kept[::-1]

        head = canvas.normalize(snapshot.text[max(0, offset - snippet_retrieval.REACH) : offset])
        called = tuple(_CALLED.findall(head.rpartition("\n")[2]))
        place = (key, line, called, workspace.generation, language)
        if self._last[0] != place:  # while a line is typed, this stays
            recent = self._following.recent.pieces(without=key)
            cut = snapshot.first_line or offset > canvas.Budget().prefix_chars
            imports = [(key, workspace.imports(key))] if cut else []
            names = [*called, *(syntax.calls(offset, SCOPE) if syntax else ())]
            signatures = self._signatures(snapshot, names, language, key)
            self._last = (
                place,
                [
                    *said(recent, "recent"),
                    *said((each for each in imports if each[1]), "imports"),
                    *said(signatures, "signatures"),
                ],
            )
        texts, room = [], TEXTS
        for whence, text in workspace.texts(language, key):
            if (room := room - len(text)) >= 0:
                texts.append((whence, text))
        found = snippet_retrieval.pieces(head, [text for _, text in texts])
        alike = ((texts[which][0], piece) for which, piece in found)
        wrong = ((key, each) for each in diagnostics)
        return (*self._last[1], *said(wrong, "diagnostics"), *said(alike, "similar"))

    def _signatures(
        self, snapshot: Snapshot, names: Sequence[str], language: str, key: str
    ) -> list[tuple[str, str]]:
        """Signatures of these names, the first name's last; what is in sight anyway left out."""
        return [
            (whence, text)
            for name in reversed(dict.fromkeys(names))
            for whence, text in self._following.workspace.signatures(name, language, key)[-2:]
            if whence != key or text[:40] not in snapshot.text
        ]

    def _name(self, key: str) -> str:
        """A path as people of the project name it."""
        root = next((root for root in self._following.rules.roots if key.startswith(root + os.sep)), "")
        return key[len(root) :].lstrip(os.sep) if root else os.path.basename(key)
