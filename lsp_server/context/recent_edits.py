"""The regions edited last, in all documents, as small pieces of text. Knows keys, lines and text only."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 16  # pieces that are kept
AROUND = 4  # lines of a piece on either side of the edited one
NEAR = 2 * AROUND  # edited lines at most so far apart share a piece


class EditedLines:
    """The lines of a document that were edited since it was last read. All of a `new` one counts."""

    def __init__(self, new: bool) -> None:
        self.new = new
        self.lines: list[int] = []

    def edit(self, line: int) -> None:
        self.lines = [*(other for other in self.lines if abs(other - line) > NEAR), line][-MOST:]

    def beyond(self, line: int) -> bool:
        """Whether anything has been edited that is not near a line."""
        return self.new or any(abs(other - line) > NEAR for other in self.lines)


class RecentEdits:
    def __init__(self) -> None:
        self._pieces: list[tuple[str, str]] = []  # key and text, the newest last

    def add(self, key: str, text: str, lines: Sequence[int]) -> None:
        """Add the text around each line; it replaces the piece that has the same region before the edit."""
        all_lines = text.split("\n")
        for line in lines:
            piece = "\n".join(all_lines[max(0, line - AROUND) : line + AROUND + 1]).strip("\n")
            if piece.strip():
                others = (each for each in self._pieces if each[0] != key or not _alike(each[1], piece))
                self._pieces = [*others, (key, piece)][-MOST:]

    def forget(self, key: str) -> None:
        self._pieces = [each for each in self._pieces if each[0] != key]

    def pieces(self, without: str) -> list[tuple[str, str]]:
        """(key, text) of each piece of other documents, the newest last."""
        return [each for each in self._pieces if each[0] != without]


def _alike(one: str, other: str) -> bool:
    """Whether two pieces are versions of one region: at least half of the shorter one's lines are in both."""
    lines = [{line.strip() for line in text.split("\n") if line.strip()} for text in (one, other)]
    return 2 * len(lines[0] & lines[1]) >= min(map(len, lines))
