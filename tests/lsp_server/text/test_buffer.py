from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.infilling.canvas import build
from lsp_server.infilling.hole import find
from lsp_server.session.session import Session
from lsp_server.text import buffer
from lsp_server.text.buffer import Buffer
from lsp_server.text.document import Refusal, Snapshot
from lsp_server.text.positions import Encoding, to_offset, to_position
from lsp_server.text.syntax import Parses
from tests.support.listings import listing

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
TEXTS = st.text(st.sampled_from("ab \t\r\n\x0b\x0c\x85\u2028é注😀\ufeff"), max_size=40)


def units(text: str, encoding: Encoding) -> int:
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    return len(text.encode(encoding + ("" if width == 1 else "-le"))) // width


@dataclass
class Client:
    """An editor that keeps its text as one string and counts positions character by character."""

    text: str
    encoding: Encoding

    def position(self, offset: int) -> tuple[int, int]:
        line, start = 0, 0
        for at in range(offset):
            if self.text[at] == "\n" or (self.text[at] == "\r" and self.text[at + 1 : at + 2] != "\n"):
                line, start = line + 1, at + 1
        return line, units(self.text[start:offset], self.encoding)

    def places(self) -> list[int]:
        """Offsets that a position can name."""
        return [0, *(at for at in range(1, len(self.text) + 1) if self.text[at - 1 : at + 1] != "\r\n")]

    def replace(self, start: int, end: int, new: str) -> Any:
        change = (self.position(start), self.position(end)), new
        self.text = self.text[:start] + new + self.text[end:]
        return change


def nobody(settings: Any) -> Any:
    """No worker is needed to keep text."""
    return cast(Any, SimpleNamespace())


@given(TEXTS, st.sampled_from(ENCODINGS), st.data())
def test_the_text_is_the_clients(text: str, encoding: Encoding, data: st.DataObject) -> None:
    client, session = Client(text, encoding), Session(nobody)
    session.encoding = encoding
    session.open("a", 0, "python", text)
    for version in range(1, data.draw(st.integers(1, 6)) + 1):
        changes = []
        for _ in range(data.draw(st.integers(1, 3))):
            new = data.draw(TEXTS)
            if data.draw(st.integers(0, 9)):
                ends = st.sampled_from(client.places())
                start, end = sorted((data.draw(ends), data.draw(ends)))
                changes.append(client.replace(start, end, new))
            else:
                client.text = new
                changes.append((None, new))
        session.change("a", version, changes)
        snapshot = session.snapshot("a", 0)
        assert snapshot
        assert (snapshot.text, snapshot.version, snapshot.first_line) == (client.text, version, 0)
        anew = Buffer("a", version, "python", client.text)
        lines = session._documents["a"]._lines
        assert lines == anew._lines == re.split(r"(?<=\n)|(?<=\r)(?!\n)", client.text)
    for at in client.places():
        position = client.position(at)
        assert to_offset(client.text, *position, encoding) == at
        assert to_position(client.text, at, encoding) == position


@given(TEXTS, st.sampled_from(ENCODINGS), st.integers(0, 12), st.data())
def test_a_place_is_the_same_in_every_snapshot(
    text: str, encoding: Encoding, reach: int, data: st.DataObject
) -> None:
    client, document = Client(text, encoding), Buffer("a", 0, "python", text)
    at = data.draw(st.sampled_from(client.places()))
    line, character = client.position(at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffer, "REACH", reach)
        patch.setattr(buffer, "_BLOCK", 1)
        snapshot = document.snapshot(line)
    offset = to_offset(snapshot.text, line - snapshot.first_line, character, encoding)
    assert offset is not None
    assert to_position(snapshot.text, offset, encoding) == (line - snapshot.first_line, character)
    assert text[at:].startswith(snapshot.text[offset:])
    assert text[:at].endswith(snapshot.text[:offset])


@pytest.mark.parametrize(
    ("text", "start", "end", "new", "expected"),
    [
        ("a\nb", (1, 0), (2, 0), "", "a\n"),  # the last line, deleted as a line
        ("a", (5, 0), (5, 0), "z", "az"),
        ("a\n", (-1, 0), (1, 0), "z", "a\nz"),
        ("abc", (0, 2), (0, 1), "-", "a-c"),  # ends before it starts
        ("a\nb\nc", (2, 1), (0, 1), "", "a"),
        ("x\x0cy\nz", (1, 0), (1, 1), "w", "x\x0cy\nw"),
        ("\ud83d", (0, 1), (0, 1), "\ude00", "😀"),  # halves of one character, sent one by one
        ("\ud83d.\ude00", (0, 1), (0, 2), "", "😀"),  # what was between them is deleted
        ("a\r\rb", (1, 0), (1, 0), "\n", "a\r\n\rb"),  # becomes one line end with the one before
        ("ab\r\ncd", (0, 99), (1, 0), "", "abcd"),
    ],
)
def test_changes_as_clients_send_them(
    text: str, start: tuple[int, int], end: tuple[int, int], new: str, expected: str
) -> None:
    document = Buffer("a", 0, "python", text)
    document.replace(start, end, new, "utf-16")
    assert document.text == expected
    assert document._lines == Buffer("a", 0, "python", expected)._lines


@pytest.mark.parametrize("line", [0, 1, 700, 2_345, 10**6])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_snapshot_is_as_good_as_the_whole_text(line: int, line_end: str) -> None:
    text = listing(60_000).replace("\n", line_end)
    whole = Snapshot("a", 3, "python", text)
    part = Buffer("a", 3, "python", text).snapshot(line)
    assert len(part.text) < len(text)
    offsets = [to_offset(it.text, line - it.first_line, 3, "utf-16") for it in (part, whole)]
    if None in offsets:
        assert offsets == [None, None]
        return
    seen = []
    for snapshot, offset in zip((part, whole), offsets, strict=True):
        assert offset is not None
        syntax = Parses().around(snapshot, offset)
        hole = find(snapshot, syntax, offset, 8, invoked=True)
        assert not isinstance(hole, Refusal)
        assert syntax
        seen.append((build(snapshot, [hole]), syntax.text))
    assert seen[0] == seen[1]


def test_a_snapshot_takes_whole_lines_of_any_length() -> None:
    document = Buffer("a", 0, "python", "a\n" + "x" * 100_000 + "\n" + "b\n" * 100_000)
    assert document.snapshot(1).text.startswith("a\nxxx")
    snapshot = document.snapshot(2)
    assert snapshot.text.startswith("a\nxxx")
    assert len(snapshot.text) < 100_000 + 30_000
    assert document.snapshot(50_000).first_line > 2
