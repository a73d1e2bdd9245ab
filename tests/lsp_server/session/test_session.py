"""The state of one editor: settings of several sources, documents as they change, and what goes with them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lsp_server.actions.tracked_ranges import TrackedRange
from lsp_server.config.settings import Settings
from lsp_server.next_edit.renames import renames
from lsp_server.session.layered_settings import OPTIONS
from lsp_server.session.session import Session
from lsp_server.session.suggestion_cache import CachedSuggestion
from lsp_server.text.document import Edit, Refusal, Snapshot, Span

URI = "file:///a.py"


class Client:
    """In place of a worker's client: notes what it is told."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.calls = settings, list[str]()

    async def prepare(self) -> None:
        self.calls.append("prepare")

    async def close(self) -> None:
        self.calls.append("close")


def session_with(*documents: tuple[str, str]) -> tuple[Session, list[Any]]:
    """A session with open documents (URI, text), and the clients that it has had."""
    clients: list[Any] = []

    def connect(settings: Settings) -> Any:
        clients.append(Client(settings))
        return clients[-1]

    session = Session(connect)
    for uri, text in documents:
        session.open(uri, 1, "python", text)
    return session, clients


def change(session: Session, version: int, start: int, end: int, new: str, uri: str = URI) -> None:
    """Replace characters of the first line."""
    session.change(uri, version, [(((0, start), (0, end)), new)])


def suggest(session: Session, text: str) -> None:
    snapshot = session.whole(URI)
    assert snapshot
    at = len(snapshot.text)
    edit = Edit(URI, snapshot.version, Span(at, at), text, confidence=0.5, steps=1, ms=1.0)
    session.remember_suggestion(CachedSuggestion(snapshot, at, (edit,)))


def rest(session: Session) -> list[str]:
    snapshot = session.whole(URI)
    assert snapshot
    return [edit.text for edit in session.rest_of_suggestion(snapshot, len(snapshot.text))]


@pytest.mark.parametrize(
    ("raw", "others"),
    [({"deadlineMs": 7}, 0), ({"model": "org/name"}, 1), ({"idleUnloadMinutes": 3}, 1), ({}, 0)],
)
async def test_another_worker_only_for_other_settings_of_it(raw: dict[str, Any], others: int) -> None:
    session, clients = session_with()
    session.configure(OPTIONS, raw)
    session.configure(OPTIONS, raw)
    await asyncio.sleep(0)
    assert [client.calls for client in clients] == [["close"], []][1 - others :]
    assert clients[-1].settings.choice == session.settings.choice


async def test_settings_drop_the_suggestion() -> None:
    session, _ = session_with((URI, "a = "))
    suggest(session, "foo")
    change(session, 2, 4, 4, "f")
    assert rest(session) == ["oo"]
    session.configure("configuration", {"deadlineMs": 7})
    assert rest(session) == []


@pytest.mark.parametrize("how", ["forgotten", "closed"])
def test_a_suggestion_that_is_gone(how: str) -> None:
    session, _ = session_with((URI, "a = "))
    suggest(session, "foo")
    if how == "forgotten":
        session.accepted(URI)
    else:
        session.close(URI)
        session.open(URI, 1, "python", "a = ")
    change(session, 2, 4, 4, "f")
    assert rest(session) == []


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(0, 0, 0), (0, 3, 3), (1, 2, 8), (1, 3, 8), (1, 4, 9), (2, 0, 10), (3, 0, None), (-1, 0, None)],
)
def test_places(line: int, character: int, offset: int | None) -> None:
    """Characters are UTF-16 units; a place between the two of a pair is the one before them."""
    session, _ = session_with((URI, "a = 1\na \U0001f600\n"))
    place = session.place(URI, line, character)
    assert place
    assert place[1] == offset
    assert session.place("file:///b.py", 0, 0) is None


def test_what_is_said_of_a_document_that_is_not_open() -> None:
    session, _ = session_with()
    change(session, 2, 0, 0, "new")
    session.splice_notebook("file:///n.ipynb", 0, 0, [URI])
    session.close(URI)
    assert (session.snapshot(URI, 0), session.whole(URI)) == (None, None)
    assert (session.line_count(URI), session.next_edits.history.all(URI)) == (0, ())
    assert not session.is_current(Snapshot(URI, 1, "python", ""))


def test_a_change_moves_all_that_is_kept_of_a_document() -> None:
    session, _ = session_with((URI, "count = 1\nprint(count)\n"))
    session.tracked_ranges.put(URI, [TrackedRange((0, 8), (0, 9), "1", "2")], (0, 0), (9, 0))
    for version, (start, end, new) in enumerate([(0, 5, "n"), (1, 1, "o")], start=2):
        change(session, version, start, end, new)
    snapshot = session.snapshot(URI, 0)
    assert snapshot
    assert (snapshot.version, snapshot.text) == (3, "no = 1\nprint(count)\n")
    assert [(each.line, each.before, each.after) for each in session.next_edits.history.all(URI)] == [
        (0, ("count = 1",), ("no = 1",))
    ]
    assert [each.start for each in session.tracked_ranges.of(URI)] == [(0, 5)]
    session.change(URI, 4, [(None, "other\n")])
    assert session.tracked_ranges.of(URI) == ()


def test_marks_go_where_a_change_makes_two_line_ends_one() -> None:
    """The lines below cannot be counted from the change alone: a mark would be a line off."""
    session = Session()
    session.open(URI, 1, "python", "a\rb\nword\n")
    session.tracked_ranges.put(URI, [TrackedRange((2, 0), (2, 4), "word", "")], (2, 0), (2, 4))
    session.change(URI, 2, [(((1, 0), (1, 0)), "\n")])
    assert session.tracked_ranges.of(URI) == ()


def test_edits_of_lines_that_cannot_be_counted_are_forgotten() -> None:
    """A \\r and a \\n become one line end: an edit below would be said to be of a line that is not there."""
    session = Session()
    session.open(URI, 1, "python", "a\rx\nb\nc = 1")
    session.change(URI, 2, [(((3, 5), (3, 5)), "2")])
    assert len(session.next_edits.history.all(URI)) == 1
    session.change(URI, 3, [(((1, 0), (1, 1)), "")])
    assert session.next_edits.history.all(URI) == ()
    session.change(URI, 4, [(None, "a\r\nb\nc = 13")])


def test_a_cell_has_the_other_cells_around_it_while_its_notebook_is_open() -> None:
    notebook, first, second = "file:///n.ipynb", "cell:1", "cell:2"
    session, _ = session_with((first, "a = 1"), (second, "b = 2"))
    session.open_notebook(notebook, [first])
    session.splice_notebook(notebook, 1, 0, [second])
    snapshot, whole = session.snapshot(second, 0), session.whole(second)
    assert snapshot
    assert whole
    assert (snapshot.text, whole.text) == ("a = 1\nb = 2", "b = 2")
    session.configure("configuration", {"exclude": ["*.ipynb"]})
    refusal = session.refusal(snapshot)
    assert refusal
    assert refusal.reason == "excluded", "the notebook's name counts"
    session.close_notebook(notebook)
    assert session.refusal(snapshot) is None
    alone = session.snapshot(second, 0)
    assert alone
    assert alone.text == "b = 2"


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (lambda session: None, "answered"),
        (lambda session: change(session, 2, 0, 0, "x"), "superseded"),
        (lambda session: session.close(URI), "superseded"),
        (lambda session: session.displace(URI), "superseded"),
        (lambda session: change(session, 2, 0, 0, "x", uri="file:///b.py"), "answered"),
    ],
    ids=["nothing", "a change", "closed", "displaced", "another document changes"],
)
async def test_the_current_request(then: Any, expected: str) -> None:
    session, _ = session_with((URI, "a\n"), ("file:///b.py", "b\n"))
    snapshot = session.snapshot(URI, 0)
    assert snapshot
    ready = asyncio.Event()

    async def work() -> str | Refusal:
        await ready.wait()
        return "answered"

    request = asyncio.create_task(session.run_latest(snapshot, work()))
    await asyncio.sleep(0)
    then(session)
    ready.set()
    outcome = await request
    assert (outcome.reason if isinstance(outcome, Refusal) else outcome) == expected


async def test_an_answer_to_a_version_that_is_gone() -> None:
    session, _ = session_with((URI, "a\n"))
    snapshot = session.snapshot(URI, 0)
    assert snapshot

    async def work() -> str | Refusal:
        session._documents[URI].version = 2  # without a word to the request
        return "answered"

    outcome = await session.run_latest(snapshot, work())
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "superseded"


@pytest.mark.parametrize(
    ("languages", "calls"), [(["python"], ["prepare"]), (["cobol"], [])], ids=["completed", "not"]
)
async def test_the_model_is_loaded_for_documents_that_may_be_completed(
    languages: list[str], calls: list[str]
) -> None:
    session, clients = session_with((URI, "a\n"))
    session.configure("configuration", {"languages": languages})
    session.warm_up()
    await asyncio.sleep(0.01)
    assert clients[-1].calls == calls
    await session.shut_down()
    assert clients[-1].calls == [*calls, "close"]


def test_edits_of_an_excluded_document_are_no_example() -> None:
    session, _ = session_with((URI, "count = 1\n"), ("file:///secret/b.py", "count = 1\n"))
    session.settings_for(URI)
    session._settings.general = Settings(exclude=("*/secret/*",))
    for uri in (URI, "file:///secret/b.py"):
        session.change(uri, 2, [(((0, 0), (0, 5)), "total")])
        session.change(uri, 3, [(None, "other = 2\n")])
    assert {each.uri for each in session.next_edits.history.recent()} == {URI}


def test_names_that_were_changed_are_found_behind_wide_characters() -> None:
    """A client counts UTF-16 units, a rename's column code points."""
    text = "'😀😀😀'; count = 1\nprint(count)\n"
    session, _ = session_with((URI, text))
    change(session, 2, 10, 15, "total")  # the client's columns
    session.change(URI, 3, [(((1, 0), (1, 0)), "#")])
    session.change(URI, 4, [(((0, 19), (0, 19)), "\n")])  # behind the name: it keeps its place
    assert [(each.line, each.column, each.new) for each in renames(session.next_edits.history.all(URI))] == [
        (0, 7, "total")
    ]


def test_a_cell_has_the_settings_of_its_notebook_s_folder() -> None:
    session, _ = session_with()
    session.use_folders(["file:///w"])
    session.configure("configuration", {}, {"file:///w": {"exclude": ["*.c"]}})
    assert session.settings_for("cell:1").exclude == ()
    session.open_notebook("file:///w/n.ipynb", ["cell:1"])
    assert session.settings_for("cell:1").exclude == ("*.c",)
