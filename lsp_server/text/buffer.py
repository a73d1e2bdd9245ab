"""The text of an open document as a list of lines, changed as its client edits it.

A keystroke rewrites only the lines it touches, and a snapshot holds only the lines around the cursor, so
neither costs more in a long file. The session owns and changes buffers; all others get Snapshots.
"""

from __future__ import annotations

import re

from lsp_server.text.document import Snapshot
from lsp_server.text.positions import Encoding

from . import positions

# A snapshot holds whole lines of at least so many characters on either side of the cursor's line. `canvas`,
# `validation` and `parse_region` look at less, so to them a snapshot is as good as the whole text.
REACH = 24_000

_BLOCK = 64  # lines

Position = tuple[int, int]  # index of the line, character in it
_LONE_CR = re.compile(r"(?<=\r)(?!\n)")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Buffer:
    """Lines keep their line ends; only the last has none, and may be empty."""

    def __init__(self, uri: str, version: int, language: str, text: str) -> None:
        self.uri, self.version, self.language = uri, version, language
        self._lines = _split(text)

    @property
    def text(self) -> str:
        return "".join(self._lines)

    @property
    def line_count(self) -> int:
        return len(self._lines)

    def line(self, number: int) -> str:
        """A line without its line end; empty where the text has no such line."""
        return self._lines[number].rstrip("\r\n") if 0 <= number < len(self._lines) else ""

    def snapshot(self, line: int, last: int | None = None) -> Snapshot:
        """The text around a line, or around all lines up to `last`; the last line stands for those that the
        text does not have."""
        lines = self._lines
        line, last = sorted(
            max(0, min(each, len(lines) - 1)) for each in (line, line if last is None else last)
        )
        first, room = line, REACH
        while first and room > 0:
            above = lines[max(0, first - _BLOCK) : first]
            first, room = first - len(above), room - sum(map(len, above))
        end, room = last + 1, REACH
        while end < len(lines) and room > 0:
            below = lines[end : end + _BLOCK]
            end, room = end + len(below), room - sum(map(len, below))
        return Snapshot(self.uri, self.version, self.language, "".join(lines[first:end]), first)

    def replace_all(self, text: str) -> None:
        self._lines = _split(text)

    def replace(self, start: Position, end: Position, new: str, encoding: Encoding) -> None:
        """One incremental change of the client's; characters count units of `encoding`. A line past the end
        means the end of the text: clients send it when the last line is deleted."""
        lines = self._lines
        (top, head), (bottom, tail) = sorted(self.place(*place, encoding) for place in (start, end))
        text = lines[top][:head] + new + lines[bottom][tail:]
        if top and lines[top - 1].endswith("\r") and text.startswith("\n"):  # now they are one line end
            top -= 1
            text = lines[top] + text
        if _SURROGATE.search(text):  # a client may send the two halves of a pair one after the other
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        parts = _split(text)
        if bottom + 1 < len(lines):
            parts.pop()  # the text ends with a line end, and the line after it is there already
        lines[top : bottom + 1] = parts

    def place(self, line: int, character: int, encoding: Encoding) -> Position:
        """A client's position in code points; the end of the text for a line that is not there."""
        if not 0 <= line < len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        return line, positions.column(self._lines[line].rstrip("\r\n"), character, encoding)


def _split(text: str) -> list[str]:
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    if positions.has_lone_cr(text):
        lines = [part for line in lines for part in _LONE_CR.split(line)]
    return lines
