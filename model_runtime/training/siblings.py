"""Text of a project's other files before a document, as the server sends it with a request.

Each piece begins with a comment line that names its file. The server takes pieces in which the text before
the cursor occurs too; here the one of several random ones that has most tokens in common with the document
stands for it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from model_runtime.training.documents import Encoder, TokenizedDocument

LINES = 24  # of a piece, at most
TRIED = 6  # pieces, of which the best is taken
PIECES = 3  # before a document, at most
SHARE = 0.4  # of the room that they may take, at most


class Siblings:
    def __init__(self, documents: Sequence[TokenizedDocument]) -> None:
        self._documents = documents
        self._of: dict[str, list[int]] = defaultdict(list)  # project -> documents
        for number, document in enumerate(documents):
            self._of[document.project].append(number)

    def before(
        self, document: TokenizedDocument, line: int, room: int, tokenizer: Encoder, rng: random.Random
    ) -> list[int]:
        """Ids of pieces for a document that is shown from `line` on; empty where it has no siblings."""
        others = self._of[document.project]
        budget, ids = int(room * SHARE), list[int]()
        if len(others) < 2:
            return ids
        shown = set(document.ids[document.starts[line] :][:room].tolist())
        for _ in range(rng.randint(1, PIECES)):
            tried = [self._piece(self._documents[rng.choice(others)], document, rng) for _ in range(TRIED)]
            best = max(
                (each for each in tried if each), key=lambda each: len(shown & {*each[1]}), default=None
            )
            if best is None:
                continue
            piece = [*tokenizer.encode(f"# {best[0]}\n"), *best[1]]
            if len(ids) + len(piece) <= budget:
                ids += piece
        return ids

    @staticmethod
    def _piece(
        other: TokenizedDocument, document: TokenizedDocument, rng: random.Random
    ) -> tuple[str, list[int]] | None:
        """(path, ids) of some lines; None where both are one document."""
        if other is document:
            return None
        first = rng.randrange(len(other.lines))
        return other.path, other.between(first, min(first + LINES, len(other.lines)))
