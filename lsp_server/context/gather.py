"""The context of a request: which text of other documents and files the model sees.

Choosing takes less than a millisecond, as it looks only at what `document_tracker` has in memory. What does
not depend on the characters typed stays the same while a line is typed. Knows no LSP.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable, Sequence

from lsp_server.context.document_tracker import DocumentTracker
from lsp_server.infilling import canvas
from lsp_server.text import symbols
from lsp_server.text.document import Snapshot
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import Syntax

from . import snippet_retrieval

# At most so many characters of each source. A request has the sources in this order, the most relevant last.
BUDGETS = {
    "recent": 2_000,  # regions of other documents that were edited last
    "changes": 1_500,  # of the document itself, before and after, for a model that reads the context
    "imports": 1_500,  # the document's own, if it is so long that its prefix begins below them
    "signatures": 1_500,  # of what the code around the hole calls
    "problems": 500,  # what is wrong in the hole's line, for a model that reads the context
    "similar": 5_000,  # pieces of other files where the text before the cursor occurs too
}
SCOPE = 4_000  # bytes of the code around the hole whose calls count
TEXTS = 400_000  # characters that each request searches for similar pieces; takes half a millisecond
_CALLED = re.compile(r"(\w+)\s*\(")


class Context:
    def __init__(self, tracker: DocumentTracker) -> None:
        self._tracker = tracker
        self._last: tuple[object, list[str]] = ((), [])  # a place and the pieces that stay for it

    def gather(
        self, snapshot: Snapshot, offset: int, syntax: Syntax | None, *, read: bool = False
    ) -> tuple[str, ...]:
        """Pieces of other text for a hole at `offset`, the most relevant last. Each begins with a comment
        line that names its file. `read`: the model reads them, so it is told in comments what else is known
        of the document; others only search them for what may come next."""
        line = snapshot.first_line + snapshot.text.count("\n", 0, offset)
        key = self._tracker.use(snapshot.uri, line)
        index = self._tracker.index
        known = by_id(snapshot.language)
        language, mark = (known.id, known.comment) if known else (snapshot.language, "#")

        def within_budget(pieces: Iterable[tuple[str, str]], source: str) -> list[str]:
            room, kept = BUDGETS[source], []
            for whence, text in reversed(list(pieces)):  # the best first: they are last
                piece = f"{mark} {self._name(whence)}\n{text}\n"
                if (room := room - len(piece)) >= 0:
                    kept.append(piece)
            return kept[::-1]

        head = canvas.normalize(snapshot.text[max(0, offset - snippet_retrieval.REACH) : offset])
        called = tuple(_CALLED.findall(head.rpartition("\n")[2]))
        place = (key, line, called, index.generation, language, read)
        if self._last[0] != place:  # these pieces stay the same while a line is typed
            recent = self._tracker.recent.pieces(without=key)
            changes = self._tracker.recent.changes(key) if read else []
            changed = [(key, commented(f"was changed lately:\n{each}", mark)) for each in changes]
            cut = snapshot.first_line or offset > canvas.Budget().prefix_chars
            imports = [(key, index.imports(key))] if cut else []
            names = [*called, *(symbols.calls(syntax, offset, SCOPE) if syntax else ())]
            signatures = self._signatures(snapshot, names, language, key)
            self._last = (
                place,
                [
                    *within_budget(recent, "recent"),
                    *within_budget(changed, "changes"),
                    *within_budget((each for each in imports if each[1]), "imports"),
                    *within_budget(signatures, "signatures"),
                ],
            )
        texts, room = [], TEXTS
        for whence, text in index.texts(language, key):
            if (room := room - len(text)) >= 0:
                texts.append((whence, text))
        found = snippet_retrieval.pieces(head, [text for _, text in texts])
        alike = ((texts[which][0], piece) for which, piece in found)
        problems = self._tracker.problems.at(key, line) if read else ()
        wrong = (
            (key, commented(f"is wrong in line {line + 1}: {' '.join(each.split())}", mark))
            for each in problems
        )
        return (*self._last[1], *within_budget(wrong, "problems"), *within_budget(alike, "similar"))

    def _signatures(
        self, snapshot: Snapshot, names: Sequence[str], language: str, key: str
    ) -> list[tuple[str, str]]:
        """(key, text) of the signatures with these names, those of the first name last. Those that the
        snapshot shows anyway are left out."""
        return [
            (whence, text)
            for name in reversed(dict.fromkeys(names))
            for whence, text in self._tracker.index.signatures(name, language, key)[-2:]
            if whence != key or text[:40] not in snapshot.text
        ]

    def _name(self, key: str) -> str:
        """A path relative to its workspace folder."""
        root = next((root for root in self._tracker.rules.roots if key.startswith(root + os.sep)), "")
        return key[len(root) :].lstrip(os.sep) if root else os.path.basename(key)


def commented(text: str, mark: str) -> str:
    """A text as comment lines, where the language has any."""
    return "\n".join(f"{mark} {line}".strip() for line in text.split("\n"))
