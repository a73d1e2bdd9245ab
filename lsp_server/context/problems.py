"""What is wrong in documents, as diagnostics said lately, by line. Knows no LSP and no diagnostics of ours.

A server is not told what other servers find. But a client that asks what can be done about a place says what
is wrong there, and that is kept until it says otherwise or the line has been edited and left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NewType

Cleaned = NewType("Cleaned", str)  # text without secrets

MOST = 16  # problems kept of one document, the newest


class Problems:
    def __init__(self) -> None:
        self._found: dict[str, list[tuple[int, Cleaned]]] = {}  # key of a document -> (line, message)
        self._edited: dict[str, int] = {}  # key -> the line edited last, if it has problems

    def put(self, key: str, first: int, last: int, found: Iterable[tuple[int, Cleaned]]) -> None:
        """These are the problems of the lines from `first` to `last`; what was known of them is forgotten."""
        kept = [each for each in self._found.get(key, ()) if not first <= each[0] <= last]
        self._found[key] = list(dict.fromkeys([*kept, *(each for each in found if each[1])]))[-MOST:]

    def at(self, key: str, line: int) -> tuple[Cleaned, ...]:
        return tuple(message for at, message in self._found.get(key, ()) if at == line)

    def edited(self, key: str, first: int, last: int, added: int) -> None:
        """The text from line `first` to line `last` was replaced by one with `added` line ends."""
        if not (found := self._found.get(key)):
            return
        left = self._edited.get(key)
        moved = added - (last - first)
        self._found[key] = [
            (line + moved if line > last else line, message)
            for line, message in found
            if not first < line <= last and not (line == left != first)
        ]
        self._edited[key] = first

    def forget(self, key: str) -> None:
        self._found.pop(key, None)
        self._edited.pop(key, None)
