"""The regions edited last, in all documents: small pieces of text, the newest last. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 16  # pieces
AROUND = 4  # lines on either side of an edited one
NEAR = 2 * AROUND  # edited lines as far apart share a piece


class Touched:
    """Which lines of a document have been edited since it was last looked at; all of a `new` one."""

    def __init__(self, new: bool) -> None:
        self.new = new
        self.lines: list[int] = []

    def edit(self, line: int) -> None:
        self.lines = [*(other for other in self.lines if abs(other - line) > NEAR), line][-MOST:]

    def beyond(self, line: int) -> bool:
        """Whether more has been edited than what is around a line."""
        return self.new or any(abs(other - line) > NEAR for other in self.lines)


class Recent:
    def __init__(self) -> None:
        self._pieces: list[tuple[str, str]] = []  # key, text

    def add(self, key: str, text: str, lines: Sequence[int]) -> None:
        """The text around these lines, instead of what it was before the edit."""
        all_lines = text.split("\n")
        for line in lines:
            piece = "\n".join(all_lines[max(0, line - AROUND) : line + AROUND + 1]).strip("\n")
            if piece.strip():
                others = (each for each in self._pieces if each[0] != key or not _alike(each[1], piece))
                self._pieces = [*others, (key, piece)][-MOST:]

    def forget(self, key: str) -> None:
        self._pieces = [each for each in self._pieces if each[0] != key]

    def pieces(self, without: str) -> list[tuple[str, str]]:
        """(key, text), the newest last."""
        return [each for each in self._pieces if each[0] != without]


def _alike(one: str, other: str) -> bool:
    lines = [{line.strip() for line in text.split("\n") if line.strip()} for text in (one, other)]
    return 2 * len(lines[0] & lines[1]) >= min(map(len, lines))
