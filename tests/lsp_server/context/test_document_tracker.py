"""What is read of documents and files, and when; with the real reader process."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lsp_server import child_process
from lsp_server.config.file_filter import MAX_BYTES, Rules
from lsp_server.context import document_tracker, index_client
from lsp_server.context.document_tracker import DocumentTracker, key_of
from lsp_server.context.index_process import Scan, Scanned
from lsp_server.text.buffer import Buffer
from tests.lsp_server.context.editor import SECONDS, Editor
from tests.support.fakes import eventually

A, B = "file:///p/a.py", "file:///p/b.py"
TEXT = "".join(f"line_{n} = {n}\n" for n in range(60))


class Documents:
    """Open documents, as a session keeps them, and what the tracker knows of their text."""

    def __init__(self) -> None:
        self.buffers: dict[str, Buffer] = {}
        self.tracker = DocumentTracker(self.buffers.get)
        self.tracker.configure(Rules(languages=("python",)))

    def open(self, uri: str, text: str, language: str = "python") -> None:
        self.buffers[uri] = Buffer(uri, 1, language, text)
        self.tracker.opened(uri)

    def insert(self, uri: str, line: int, new: str) -> None:
        self.buffers[uri].replace((line, 0), (line, 0), new, "utf-16")
        self.tracker.edited(uri, (line, line), new)

    def known(self) -> dict[str, str]:
        return dict(self.tracker.index.texts("python", near=""))

    async def until_known(self, key: str, text: str) -> None:
        await eventually(lambda: text in self.known().get(key, ""), SECONDS)


@asynccontextmanager
async def documents() -> AsyncIterator[Documents]:
    it = Documents()
    try:
        yield it
    finally:
        await it.tracker.close()


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("file:///p/a.py", "/p/a.py"),
        ("file:///p/x/../a%20b.py", "/p/a b.py"),
        ("FILE:///p/a.py", "/p/a.py"),
        ("untitled:Untitled-1", "untitled:Untitled-1"),
    ],
)
def test_keys(uri: str, key: str) -> None:
    assert key_of(uri) == key


async def test_a_document_is_read_again_once_the_edits_are_elsewhere() -> None:
    async with documents() as it:
        it.open(A, TEXT)
        it.tracker.refresh()
        await it.until_known("/p/a.py", "line_0")
        it.insert(A, 5, "near = 1\n")
        it.tracker.use(A, 6)  # the request comes from where the edit was: it goes on
        it.open(B, "other = 1\n")
        it.tracker.use(A, 6)
        await it.until_known("/p/b.py", "other")  # read in the order asked
        assert "near" not in it.known()["/p/a.py"]
        it.tracker.use(A, 50)
        await it.until_known("/p/a.py", "near")
        ((key, piece),) = it.tracker.recent.pieces(without="/p/b.py")
        assert key == "/p/a.py"
        assert "near = 1" in piece
        it.tracker.closed(A)
        assert "/p/a.py" not in it.known()


async def test_a_document_that_a_dead_reader_had_not_answered_is_read_again() -> None:
    async with documents() as it:
        it.open(A, TEXT)
        it.tracker.refresh()
        reader = it.tracker._reader
        await eventually(lambda: reader._process, SECONDS)
        assert reader._process
        reader._process.kill()  # long before it can answer
        await eventually(lambda: reader._process is None, SECONDS)
        assert it.known() == {}
        await asyncio.sleep(0)
        it.tracker.refresh()
        await it.until_known("/p/a.py", "line_0")


async def test_documents_that_may_not_be_read() -> None:
    async with documents() as it:
        it.tracker.configure(Rules(exclude=("*/left_out.py",), languages=("python",)))
        it.open("file:///p/left_out.py", TEXT)
        it.open("file:///p/.env", TEXT)
        it.open("file:///p/a.js", "let a\n", language="javascript")
        it.open("file:///p/large.py", "#" * (MAX_BYTES + 1))
        it.open(A, TEXT)
        it.tracker.refresh()
        await it.until_known("/p/a.py", "line_0")
        assert it.known().keys() == {"/p/a.py"}


async def test_files_that_change_are_read_again(editor: Editor) -> None:
    editor.write({"a.py": "def first(one): ...\n"})
    editor.open("b.py", "first(")
    await editor.until("b.py", "def first(one)")
    editor.write({"a.py": "def first(one, two): ...\n"})
    editor.session.tracker.files_changed()
    await editor.until("b.py", "def first(one, two)")
    (editor.root / "a.py").unlink()
    editor.session.tracker.files_changed()
    for _ in range(int(SECONDS / 0.05)):
        if not any("first" in piece for piece in await editor.ask("b.py")):  # type: ignore[union-attr]
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a file that is gone is still there")


async def test_files_that_change_unnoticed_are_read_again_now_and_then(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the client reports no changes, as Neovim does not on Linux: no document is opened or closed."""
    monkeypatch.setattr(document_tracker, "RESCAN_S", 0.1)
    monkeypatch.setattr(document_tracker, "RESCAN_SHARE", 1)
    editor.write({"a.py": "def first(one): ...\n"})
    editor.open("b.py", "first(")
    await editor.until("b.py", "def first(one)")
    for text in ("one, two", "one, two, three"):
        editor.write({"a.py": f"def first({text}): ...\n"})
        await editor.until("b.py", f"def first({text})")


async def test_scans_that_take_long_are_rare(editor: Editor) -> None:
    tracker = editor.session.tracker
    editor.open("b.py", "first(")
    await eventually(lambda: tracker._scan_wait < math.inf or tracker.refresh(), SECONDS)
    now = asyncio.get_running_loop().time()
    for took, wait in ((0.1, document_tracker.RESCAN_S), (10.0, 10 * document_tracker.RESCAN_SHARE)):
        tracker._scan_wait, tracker._scanned = math.inf, now - took
        tracker._received(Scanned(1, whole=True))
        assert tracker._scan_wait == pytest.approx(wait, rel=0.2)
    tracker.watched, tracker._scan_wait = True, math.inf
    tracker._received(Scanned(1, whole=True))
    assert tracker._scan_wait == math.inf, "its client tells of changes"


async def test_a_new_rule_counts_at_once(editor: Editor) -> None:
    editor.write({"a.py": "store_all(from_file, 1)\n"})
    editor.open("c.py", "store_all(from_document, 1)\n")
    editor.open("b.py", "store_all(")
    await editor.until("b.py", "from_file", "from_document")
    editor.session.configure("test", {"exclude": ["*/[ac].py"]})
    assert await editor.ask("b.py") == ()
    editor.write({"d.py": "store_all(from_another, 1)\n"})
    editor.session.tracker.files_changed()
    context = await editor.until("b.py", "from_another")
    assert not any("from_file" in piece or "from_document" in piece for piece in context)


async def test_a_reader_that_dies_is_no_trouble(editor: Editor) -> None:
    editor.write({"a.py": "store_all(from_file, 1)\n"})
    editor.open("b.py", "store_all(")
    await editor.until("b.py", "from_file")
    reader = editor.session.tracker._reader
    assert reader._process
    reader._process.kill()
    await reader._process.wait()
    await asyncio.sleep(0.1)
    editor.write({"c.py": "store_all(from_another, 1)\n"})
    await editor.until("b.py", "from_another")  # what a process that died was asked is asked again


async def test_what_a_scan_skips_is_told_once(editor: Editor) -> None:
    editor.write({".gitignore": "bin\\\n!\n", "a.py": "def first(one): ...\n"})
    tracker, told = editor.session.tracker, list[str]()
    tracker.on_problem = told.append
    editor.open("b.py", "first(")
    await editor.until("b.py", "def first(one)")
    await eventually(lambda: tracker.skipped, SECONDS)
    editor.write({"c.py": "def first(one, two): ...\n"})
    tracker.files_changed()
    await editor.until("b.py", "def first(one, two)")
    (line,) = told
    assert line.count("is no pattern") == len(tracker.skipped) == 2


async def test_a_reader_that_keeps_dying_is_given_up_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_client, "START_S", 0.0)
    command = [sys.executable, "-c", "raise SystemExit(1)"]
    monkeypatch.setattr(child_process, "command", lambda module: command)
    async with documents() as it:
        told: list[str] = []
        it.tracker.on_problem = told.append
        it.open(A, TEXT)
        for _ in range(int(SECONDS / 0.01)):
            it.tracker.refresh()
            if it.tracker.fault:
                break
            await asyncio.sleep(0.01)
        assert told == [it.tracker.fault]
        assert "failed 3 times" in it.tracker.fault
        assert await it.tracker.cleaned(["text"]) == ("",)


async def test_nothing_is_read_without_a_workspace_or_an_open_document(tmp_path: Path) -> None:
    it = DocumentTracker({}.get)
    it.refresh()
    assert it._reader._serving is None


class Kept:
    """A library that remembers what it was told."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def put(self, key: str, language: str, text: str) -> None:
        self.texts[key] = text

    def drop(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.texts.pop(key, None)

    def clear(self) -> None:
        self.texts.clear()


async def test_a_new_library_is_told_again_and_nothing_is_forgotten_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_tracker, "SOON_S", 0.0)
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(f"def {name}(x): ...\n")
    library = Kept()
    tracker = DocumentTracker({}.get, library)
    tracker.configure(Rules(languages=("python",), roots=(str(tmp_path),)))
    tracker.refresh()
    await eventually(lambda: len(library.texts) == 2, SECONDS)
    library.clear()
    tracker.library_is_ready()
    assert len(tracker.index.known()) == 2, "what is known is used at once"
    (tmp_path / "b.py").unlink()
    tracker.refresh()
    await eventually(lambda: len(tracker.index.known()) == 1, SECONDS)
    assert library.texts == {str(tmp_path / "a.py"): "def a(x): ...\n"}
    assert tracker._untold == set()
    await tracker.close()


async def test_opening_and_closing_a_document_does_not_look_at_the_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py", "sub/c.py", "sub/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"name = '{name}'\n")
    it = Documents()
    it.tracker.configure(Rules(languages=("python",), roots=(str(tmp_path),)))
    asked: list[Scan] = []
    ask = it.tracker._reader.ask
    monkeypatch.setattr(it.tracker._reader, "ask", lambda each: (asked.append(each), ask(each)))
    it.tracker.refresh()
    await eventually(lambda: len(it.tracker.index.known()) == 4, SECONDS)
    uri, other = (tmp_path / "sub/c.py").as_uri(), (tmp_path / "sub/d.py").as_uri()
    it.open(uri, "changed = 1\n")
    it.tracker.refresh()
    await it.until_known(str(tmp_path / "sub/c.py"), "changed")
    near = str(tmp_path / "sub/c.py")
    await eventually(lambda: "sub/d.py" in str(it.tracker.index.texts("python", near)), SECONDS)
    it.open(other, "changed = 2\n")  # in a folder that is known
    it.tracker.closed(uri)
    it.tracker.refresh()
    await eventually(lambda: str(tmp_path / "sub/c.py") in it.tracker.index.known(), SECONDS)
    scans = [(each.everywhere, each.again) for each in asked if isinstance(each, Scan)]
    assert scans == [
        (True, frozenset()),
        (False, frozenset()),
        (False, frozenset({str(tmp_path / "sub/c.py")})),
    ]
    await it.tracker.close()
