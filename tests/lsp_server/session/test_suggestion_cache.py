from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.session import suggestion_cache
from lsp_server.session.suggestion_cache import CachedSuggestion
from lsp_server.text import buffer
from lsp_server.text.buffer import Buffer
from lsp_server.text.document import Edit, Snapshot, Span
from lsp_server.text.positions import to_offset, to_position

URI = "file:///a.py"


def edit_of(text: str, span: Span, version: int = 1) -> Edit:
    return Edit(URI, version, span, text, confidence=0.5, steps=1, ms=1.0)


def suggestion_in(marked: str, *texts: str) -> CachedSuggestion:
    """`marked` has `|` at the cursor, or `[` and `]` around the span and `|` in it."""
    bare = marked.replace("[", "").replace("]", "")
    cursor = bare.index("|")
    start = marked.index("[") if "[" in marked else cursor
    end = (
        bare.index("|") + len(marked[marked.index("|") + 1 : marked.index("]")]) if "]" in marked else cursor
    )
    text = bare.replace("|", "")
    snapshot = Snapshot(URI, 1, "python", text)
    return CachedSuggestion(snapshot, cursor, tuple(edit_of(each, Span(start, end)) for each in texts))


def check_rest(cached: CachedSuggestion, marked: str, *expected: str) -> None:
    cursor = marked.index("|")
    found = cached.rest(Snapshot(URI, 2, "python", marked.replace("|", "")), cursor)
    assert [edit.text for edit in found] == list(expected)
    for edit in found:
        assert edit.version == 2
        assert edit.span.start == cursor


@pytest.mark.parametrize(
    ("offered", "texts", "now", "rest"),
    [
        ("x = |\n", ["foo(a)"], "x = foo|\n", ["(a)"]),
        ("x = |\n", ["foo(a)"], "x = |\n", ["foo(a)"]),  # typed and deleted again
        ("x = |\n", ["foo(a)"], "x = foo(a)|\n", []),  # nothing is left
        ("x = |\n", ["foo(a)"], "x = fob|\n", []),
        ("x = |\n", ["foo(a)"], "x =|\n", []),  # deleted beyond it
        ("x = |\n", ["foo(a)"], "y = fo|\n", []),
        ("x = |\n", ["foo(a)"], "x = fo|\n\n", []),  # a change elsewhere
        ("x = |)\n", ["foo(a"], "x = fo|)\n", ["o(a"]),
        ("x = |)\n", ["foo(a"], "x = fo|\n", []),
        ("x = |\n", ["foo", "far", "bar"], "x = f|\n", ["oo", "ar"]),  # of several, those that fit
        ("|\n", ["if a:\n    b\n"], "if a:\n    |\n", ["b\n"]),  # over a line end
        ("x = [pr|]\n", ["print"], "x = pri|\n", ["nt"]),  # it replaces what was typed before
        ("x = [|a]\n", ["b.a"], "x = b|a\n", [".a"]),
    ],
)
def test_what_is_left(offered: str, texts: list[str], now: str, rest: list[str]) -> None:
    check_rest(suggestion_in(offered, *texts), now, *rest)


def test_the_rest_replaces_what_the_offer_would_have() -> None:
    (rest,) = suggestion_in("x = [|a]\n", "b.a").rest(Snapshot(URI, 2, "python", "x = ba\n"), 5)
    assert rest.span == Span(5, 6)


def test_the_same_version_or_another_document_is_a_new_question() -> None:
    cached = suggestion_in("x = |\n", "foo")
    assert cached.rest(cached.snapshot, cached.cursor) == ()
    assert cached.rest(replace(cached.snapshot, version=2, uri="file:///b.py"), cached.cursor) == ()


lines = st.text(alphabet=st.sampled_from("ab (\t😀注\r\n"), max_size=60)
words = st.text(alphabet=st.sampled_from("ab (\t😀注\n"), min_size=1, max_size=12)


class Typing:
    """A document in which an edit was offered at a cursor, edited as a client edits it."""

    def __init__(self, before: str, after: str, suggestion: str) -> None:
        self.document = Buffer(URI, 1, "python", before + after)
        self.suggestion = suggestion
        self.cursor = len(before)
        snapshot, at = self.now()
        self.cached = CachedSuggestion(snapshot, at, (edit_of(suggestion, Span(at, at)),))
        self.typed = ""

    def now(self) -> tuple[Snapshot, int]:
        line, character = to_position(self.document.text, self.cursor, "utf-32")
        snapshot = self.document.snapshot(line)
        offset = to_offset(snapshot.text, line - snapshot.first_line, character, "utf-32")
        assert offset is not None
        return snapshot, offset

    def change(self, start: int, end: int, new: str) -> None:
        places = (to_position(self.document.text, offset, "utf-32") for offset in (start, end))
        self.document.replace(*places, new, "utf-32")
        self.document.version += 1
        self.cursor = start + len(new)

    def rest(self) -> list[str]:
        return [edit.text for edit in self.cached.rest(*self.now())]


def beginning(text: str) -> str:
    """A text that an edit can stand behind: no half of a line end."""
    return text.rstrip("\r")


@given(lines, lines, words, st.lists(st.integers(1, 4)))
@settings(max_examples=300)
def test_typing_the_suggestion_in_any_split_leaves_exactly_the_rest(
    before: str, after: str, suggestion: str, splits: list[int]
) -> None:
    before, after = beginning(before), after.lstrip("\n")
    it, done = Typing(before, after, suggestion), 0
    for size in splits:
        piece = suggestion[done : done + size]
        if not piece:
            break
        it.change(it.cursor, it.cursor, piece)
        done += len(piece)
        left = suggestion[done:]
        assert it.rest() == ([left] if left else [])
    while done:  # and back again
        it.change(it.cursor - 1, it.cursor, "")
        done -= 1
        assert it.rest() == [suggestion[done:]]


@given(lines, lines, words, st.data())
@settings(max_examples=300)
def test_no_stale_rest_after_any_other_change(before: str, after: str, suggestion: str, data: st.DataObject):
    """Whatever is changed: if there is a rest, then the document with it is what was offered."""
    before, after = beginning(before), after.lstrip("\n")
    it = Typing(before, after, suggestion)
    offered = before + suggestion + after
    for _ in range(data.draw(st.integers(1, 4))):
        text = it.document.text
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 3)))
        if "\r\n" in (text[start - 1 : start + 1], text[end - 1 : end + 1]):
            continue  # no client can name such a place
        it.change(start, end, data.draw(st.one_of(words, st.just(""), st.just(suggestion[:2]))))
        now, cursor = it.document.text, it.cursor
        for rest in it.rest():
            assert now[:cursor] + rest + now[cursor:] == offered


def test_a_long_document_and_many_typed_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshots begin and end at other lines than the suggestion's."""
    monkeypatch.setattr(buffer, "REACH", 900)
    monkeypatch.setattr(suggestion_cache, "AFTER", 600)
    body = "".join(f"row {n}\n" for n in range(2_000))
    suggestion = "".join(f"new {n}\n" for n in range(100))
    it = Typing(body[:9_000], body[9_000:], suggestion)
    for done in range(0, len(suggestion), 90):
        it.change(it.cursor, it.cursor, suggestion[done : done + 90])
        first = it.now()[0].first_line
        if first > it.cached.snapshot.first_line + 60:
            break
        left = suggestion[done + 90 :]
        assert it.rest() == ([left] if left else [])
