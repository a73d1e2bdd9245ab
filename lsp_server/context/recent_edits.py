"""The regions edited last, in all documents, as small pieces of text, and what was changed there. Knows keys,
lines and text only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

MOST = 16  # pieces that are kept
AROUND = 4  # lines of a piece on either side of the edited one
NEAR = 2 * AROUND  # edited lines at most so far apart share a piece
MOST_DIFFED = 120  # lines, old and new; comparing more takes too long
LONGEST = 16  # lines of a change, old and new; a longer one says little that the text does not


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
        self._changes: list[tuple[str, str]] = []  # the same of the changes

    def add(self, key: str, text: str, lines: Sequence[int], before: str | None = None) -> None:
        """Add the text around each line; it replaces the piece that has the same region before the edit. And
        add what was changed, if the text `before` is known."""
        if before is not None:
            self._changes = [*self._changes, *((key, each) for each in changes(before, text))][-MOST:]
        all_lines = text.split("\n")
        for line in lines:
            piece = "\n".join(all_lines[max(0, line - AROUND) : line + AROUND + 1]).strip("\n")
            if piece.strip():
                others = (each for each in self._pieces if each[0] != key or not _alike(each[1], piece))
                self._pieces = [*others, (key, piece)][-MOST:]

    def forget(self, key: str) -> None:
        self._pieces = [each for each in self._pieces if each[0] != key]
        self._changes = [each for each in self._changes if each[0] != key]

    def changes(self, key: str) -> list[str]:
        """What was changed in a document, the newest last: lines that begin with `- ` were replaced by those
        that begin with `+ `."""
        return [text for whose, text in self._changes if whose == key]

    def pieces(self, without: str) -> list[tuple[str, str]]:
        """(key, text) of each piece of other documents, the newest last."""
        return [each for each in self._pieces if each[0] != without]


def _alike(one: str, other: str) -> bool:
    """Whether two pieces are versions of one region: at least half of the shorter one's lines are in both."""
    lines = [{line.strip() for line in text.split("\n") if line.strip()} for text in (one, other)]
    return 2 * len(lines[0] & lines[1]) >= min(map(len, lines))


def changes(before: str, after: str) -> Iterator[str]:
    """The changes between two versions of a text that are not too long, in the form of `RecentEdits.changes`,
    without blank ones."""
    old, new = before.split("\n"), after.split("\n")
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    end = next((n for n in range(shorter - start) if old[-1 - n] != new[-1 - n]), shorter - start)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if len(old) + len(new) > MOST_DIFFED:
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        lines = [*(f"- {line}" for line in old[a:b]), *(f"+ {line}" for line in new[c:d])]
        if kind != "equal" and len(lines) <= LONGEST and any(line[2:].strip() for line in lines):
            yield "\n".join(lines)
