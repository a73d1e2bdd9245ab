"""A document that is edited as an editor does it, with the history of its edits."""

from __future__ import annotations

from lsp_server.next_edit.history import EditHistory
from lsp_server.next_edit.rules import suggest
from lsp_server.text.buffer import Buffer, Position
from lsp_server.text.document import Refusal
from lsp_server.text.positions import to_position
from lsp_server.text.syntax import Parses

URI = "file:///a.py"


class Typing:
    """Each change comes `pause` seconds after the one before."""

    def __init__(self, text: str, language: str = "python", pause: float = 0.1) -> None:
        self.document = Buffer(URI, 1, language, text)
        self.history = EditHistory()
        self.now, self.pause = 0.0, pause

    def change(self, start: Position, end: Position, new: str, after: float = 0.0) -> None:
        self.now += self.pause + after
        self.history.change(URI, start, end, new, self.document.line, self.now)
        self.document.replace(start, end, new, "utf-32")

    def retype(self, line: int, column: int, old: str, new: str) -> None:
        """Delete words from their end and type others, a minute after what was typed before."""
        assert self.document.line(line)[column:].startswith(old)
        self.now += 60
        for at in range(column + len(old), column, -1):
            self.change((line, at - 1), (line, at), "")
        for at, character in enumerate(new):
            self.change((line, column + at), (line, column + at), character)

    def edits(self) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        """What the history holds: the line, the lines before and after."""
        return [(each.line, each.before, each.after) for each in self.history.all(URI)]

    def answer(self, line: int = 0, column: int = 0) -> tuple[list[tuple[int, int, str]], str]:
        """Line and column of each suggestion and its new text; and the reason, where there is none."""
        snapshot = self.document.snapshot(line)
        cursor = sum(len(each) + 1 for each in snapshot.text.split("\n")[:line]) + column
        found = suggest(snapshot, cursor, self.history, Parses())
        if isinstance(found, Refusal):
            return [], found.reason
        return [(*to_position(snapshot.text, edit.span.start, "utf-32"), edit.text) for edit in found], ""

    def next_edits(self, line: int = 0, column: int = 0) -> list[tuple[int, int, str]]:
        return self.answer(line, column)[0]
