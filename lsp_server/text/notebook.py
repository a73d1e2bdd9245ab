"""A notebook: an ordered list of cells, each of which sees the others' text as if all were one file.

A cell is a document with a snapshot of its own. Here the text of the cells before it is put above it, and
that of the cells after it below. Line 0 is still the cell's first, so the lines above it have negative
numbers. Nothing outside the cell may be edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lsp_server.text.buffer import REACH, Buffer
from lsp_server.text.document import Snapshot
from lsp_server.text.positions import line_ends


@dataclass(frozen=True, slots=True)
class Notebook:
    uri: str
    cells: tuple[str, ...]  # URIs of the cells' documents, prose included, as they stand

    def splice(self, start: int, deleted: int, added: Sequence[str]) -> Notebook:
        """A notebook with `deleted` cells taken out at `start` and others put in there."""
        return replace(self, cells=(*self.cells[:start], *added, *self.cells[start + deleted :]))

    def around(self, snapshot: Snapshot, documents: Mapping[str, Buffer]) -> Snapshot:
        """A cell's snapshot with the text of the cells in its language around it, at most REACH characters
        on either side."""
        if snapshot.uri not in self.cells or (cell := documents.get(snapshot.uri)) is None:
            return snapshot
        at = self.cells.index(snapshot.uri)
        before = self._texts(reversed(self.cells[:at]), snapshot.language, documents)
        after = self._texts(self.cells[at + 1 :], snapshot.language, documents)
        text, first = snapshot.text, snapshot.first_line
        if before and not first:
            above = "".join(reversed(before))[-REACH:]
            above = above[above.find("\n") + 1 :] if len(above) == REACH else above
            text, first = above + text, -line_ends(above)
        if after and snapshot.first_line + line_ends(snapshot.text) + 1 >= cell.line_count:
            text += "\n" + "".join(after)[:REACH].removesuffix("\n")
        return replace(snapshot, text=text, first_line=first)

    @staticmethod
    def _texts(uris: Iterable[str], language: str, documents: Mapping[str, Buffer]) -> list[str]:
        """The cells' texts in the order given, each with a line end, until REACH characters are there."""
        texts: list[str] = []
        room = REACH
        for uri in uris:
            if room <= 0:
                break
            if (cell := documents.get(uri)) and cell.language == language:
                texts.append(cell.text + "\n")
                room -= len(texts[-1])
        return texts
