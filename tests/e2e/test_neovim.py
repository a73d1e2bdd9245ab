"""The plugin in a real Neovim with the real server and the embedded model: what is shown, and what becomes
of it. On Neovim 0.12 with its own ghost text and with the plugin's, and on 0.11, which has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
import pytest

from tests.e2e.conftest import Place
from tests.e2e.neovim import FLAVOURS, Flavour, Neovim

from . import neovim

pytestmark = [pytest.mark.editor, pytest.mark.timeout(240)]

LINE = 6
BEFORE = "    registered_items = warehouse."
OFFER = (
    "collect_registered_parameters(catalogue.entries, parameters.first_section, parameters.second_section)"
)
# The last line goes on as the one above it does, for over a hundred characters.
LONG = f"""\
def prepare(warehouse, catalogue, parameters):
{BEFORE}{OFFER}
    return registered_items


def prepare_again(warehouse, catalogue, parameters):
{BEFORE}
    return registered_items
"""


@pytest.fixture(scope="module", params=FLAVOURS, ids=str)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return request.param


@pytest.fixture(scope="module")
def editor(
    flavour: Flavour,
    server_command: list[str],
    settings: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Neovim]:
    path, home = neovim.needed(flavour.version), tmp_path_factory.mktemp("nvim")
    with neovim.running(path, server_command, home, {"ghost": flavour.ghost, "settings": settings}) as editor:
        yield editor


@pytest.fixture
def long(editor: Neovim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    """The long line's beginning without its last dot, which is about to be typed."""
    path = tmp_path_factory.mktemp("long") / "prepare.py"
    path.write_text(unfinished(), "utf-8")
    editor.keys("<Esc>")
    editor.open(path)
    yield editor
    editor.keys("<Esc>")
    editor.nvim.command("bwipeout!")


@pytest.fixture
def typed(place: Place) -> str:
    """What is typed in README's example: the last characters before its place."""
    return place.text.splitlines()[place.line][: place.column][-4:]


@pytest.fixture
def opened(
    editor: Neovim, place: Place, typed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    """README's example without what is about to be typed."""
    copy = tmp_path_factory.mktemp("example") / "inventory.py"
    copy.write_text(place.text[: place.offset - len(typed)] + place.text[place.offset :], "utf-8")
    editor.keys("<Esc>")
    editor.open(copy)
    yield editor
    editor.keys("<Esc>")
    editor.nvim.command("bwipeout!")


def unfinished() -> str:
    """Without the dot that is about to be typed."""
    return LONG.replace(BEFORE + "\n", BEFORE[:-1] + "\n")


def offered(editor: Neovim) -> None:
    """Types the dot and waits for what follows it."""
    editor.type_at(LINE, len(BEFORE) - 1, ".")
    ghost = editor.wait_for_ghost()
    assert ghost == {"row": LINE, "column": len(BEFORE), "text": OFFER}


def holding(written: str) -> str:
    return LONG.replace(BEFORE + "\n", BEFORE + written + "\n")


def test_type_see_accept(opened: Neovim, place: Place, typed: str) -> None:
    opened.type_at(place.line, place.column - len(typed), typed)
    ghost = opened.wait_for_ghost()
    assert opened.text == place.text  # ghost text is not in the buffer
    assert (ghost["row"], ghost["column"]) == (place.line, place.column)
    assert ghost["text"].strip()

    before = place.text.splitlines()[place.line][: place.column]
    shown = opened.screen()
    for line in (before + ghost["text"]).split("\n"):
        assert any(row.startswith(line.rstrip()) for row in shown), (line, shown)

    opened.keys("<Tab>")
    expected = place.text[: place.offset] + ghost["text"] + place.text[place.offset :]
    opened.wait("accepted text", lambda: opened.text == expected)
    assert opened.ghost() is None
    opened.wait(
        "acceptance at the server", lambda: "workspace/executeCommand" in opened.lua("return vim.g.answered")
    )
    assert opened.lua("return vim.g.commands") == ["infill.accepted"]


def test_tab_without_ghost_text_is_a_tab(opened: Neovim) -> None:
    opened.keys("ggO<Tab>x<Esc>")
    opened.wait("typed line", lambda: opened.nvim.current.buffer[0].strip() == "x")
    assert opened.nvim.current.buffer[0] != "x"


@dataclass(frozen=True)
class Case:
    keys: tuple[str, ...]
    written: str  # of the offer, or something else
    left: str = ""  # what is shown then
    undone: str | None = None  # what is written after <Esc>u; None: nothing was accepted


@pytest.mark.parametrize(
    "case",
    [
        Case(("<Tab>",), OFFER, undone=""),
        Case(("<M-Down>",), OFFER, undone=""),
        Case(("<M-Right>",), "collect_registered_parameters", OFFER[29:], undone=""),
        Case(("<M-Right>",) * 3, "collect_registered_parameters(catalogue", OFFER[39:], undone=OFFER[:30]),
        Case(("<M-Right>", "<Tab>"), OFFER, undone=OFFER[:29]),
        Case(("coll", "<M-Right>", "(cata", "<Tab>"), OFFER, undone=OFFER[:34]),
        Case(
            ("collect", "<Tab>"), OFFER, undone="collect"
        ),  # at once: Neovim's own accept would write it twice
        Case(("coll", "<BS>", "<BS>", "ll", "<M-Right>"), OFFER[:29], OFFER[29:]),
        Case(("<C-]>",), ""),
        Case(("col", "<C-]>"), "col"),
        Case(("<M-Right>", "<C-]>"), OFFER[:29]),
        Case(("cx",), "cx"),
    ],
    ids=lambda case: " ".join(case.keys),
)
def test_accept_and_type(long: Neovim, case: Case) -> None:
    offered(long)
    for keys in case.keys:
        long.keys(keys)
    long.wait(f"{case.written!r}", lambda: long.text == holding(case.written), 5)
    assert (long.ghost() or {"text": ""})["text"] == case.left
    time.sleep(0.4)  # whatever is asked for meanwhile changes nothing
    if case.left:
        assert long.ghost() == {"row": LINE, "column": long.cursor[1], "text": case.left}
    assert long.text == holding(case.written)
    if case.undone is not None:
        long.keys("<Esc>u")
        long.wait("undone text", lambda: long.text == holding(case.undone or ""), 5)
        assert long.ghost() is None
        long.keys("<C-r>")
        long.wait("redone text", lambda: long.text == holding(case.written), 5)
    assert "rror" not in long.messages()


def test_a_hundred_characters_typed_through(long: Neovim) -> None:
    """Every key shows the rest, without a gap, and the worker is asked nothing."""
    offered(long)
    assert len(OFFER) > 100
    before = long.served()
    for at, character in enumerate(OFFER[:-1], start=1):
        long.type(character)
        ghost = long.ghost()
        assert ghost == {"row": LINE, "column": len(BEFORE) + at, "text": OFFER[at:]}, at
        if at % 20 == 0:  # long enough that a request would be made
            end = time.monotonic() + 0.4
            while time.monotonic() < end:
                assert long.ghost() == ghost
    assert long.served() == before
    long.type(OFFER[-1])
    assert long.text == holding(OFFER)


def test_next_shows_another_and_comes_round(long: Neovim) -> None:
    offered(long)
    seen = [OFFER]
    for _ in range(4):
        long.keys("<M-]>")
        seen.append(
            long.wait("another one", lambda: (g := long.ghost()) and g["text"] != seen[-1] and g["text"])
        )
        if seen[-1] == OFFER:
            break
    assert seen[-1] == OFFER
    assert 2 <= len(set(seen)) <= 3
    long.keys("<M-]><Tab>")
    long.wait("accepted alternative", lambda: long.text == holding(seen[1]))


def test_dismissed_it_stays_away_while_typed(long: Neovim) -> None:
    offered(long)
    long.keys("<C-]>")
    long.wait("nothing shown", lambda: long.ghost() is None)
    for character in OFFER[:3]:
        long.type(character)
        time.sleep(0.5)
        assert long.ghost() is None
    long.keys("<M-]>")  # asked for, it comes
    assert long.wait("ghost text", long.ghost)["text"]


def test_a_draft_is_drawn_while_it_resolves(opened: Neovim, place: Place, typed: str) -> None:
    opened.lua("""
        _G.drawn = {}
        local draft = require('infill.draft')
        local received = draft.received
        draft.received = function(...)
            received(...)
            local namespace = vim.api.nvim_get_namespaces()['infill.draft']
            local marks = vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
            table.insert(drawn, marks[1] and marks[1][4].virt_text[1][1] or '')
        end
    """)
    opened.type_at(place.line, place.column - len(typed), typed + " ")
    opened.wait_for_ghost()
    assert opened.lua("return drawn") == [], "nobody asked"
    opened.keys("<C-]>")
    opened.wait("nothing shown", lambda: opened.ghost() is None)
    opened.keys("<M-]>")
    opened.wait_for_ghost()
    drafts = opened.lua("return drawn")
    assert any(text.strip() for text in drafts), drafts
    assert opened.draft() is None
    assert opened.text == place.text[: place.offset] + " " + place.text[place.offset :]


def test_nothing_is_left_after_insert_mode(long: Neovim) -> None:
    long.type_at(LINE, len(BEFORE) - 1, ".")
    time.sleep(0.21)
    long.keys("<Esc>")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert long.ghost() is None
    assert long.text == holding("")


def test_a_killed_worker_costs_one_suggestion(
    opened: Neovim, place: Place, typed: str, only_worker: Callable[[], psutil.Process]
) -> None:
    opened.type_at(place.line, place.column - len(typed), typed)
    opened.wait_for_ghost()
    opened.keys("<Esc>")
    worker = only_worker()
    worker.suspend()
    opened.keys("a")
    time.sleep(0.6)  # Neovim asks 200 ms after the last key
    worker.kill()
    opened.wait(
        "answer without the worker",
        lambda: opened.lua("return next(vim.lsp.get_clients({ bufnr = 0 })[1].requests) == nil"),
    )
    assert opened.text == place.text
    assert not opened.lua("return vim.lsp.get_clients({ bufnr = 0 })[1]:is_stopped()")
    assert opened.wait_for_ghost()["text"].strip()
    assert "rror" not in opened.messages()


def test_a_worker_killed_while_typing(long: Neovim, only_worker: Callable[[], psutil.Process]) -> None:
    offered(long)
    wrong = "other = 1"
    for at, character in enumerate(wrong):
        if at == 4:
            only_worker().kill()
        long.type(character)
        time.sleep(0.15)
    assert long.text == holding(wrong)
    assert "rror" not in long.messages()
    long.keys("<C-w><C-w><C-w>")
    long.wait("the line as it was", lambda: long.text in (holding(""), unfinished()), 5)
    if not long.nvim.current.line.endswith("."):
        long.type(".")
    assert long.wait_for_ghost()["text"]


def test_two_editors_share_one_worker(
    long: Neovim,
    flavour: Flavour,
    server_command: list[str],
    settings: dict[str, object],
    workers: Callable[[], list[psutil.Process]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    offered(long)
    home = tmp_path_factory.mktemp("second")
    path = neovim.needed(flavour.version)
    with neovim.running(path, server_command, home, {"ghost": flavour.ghost, "settings": settings}) as second:
        (home / "prepare.py").write_text(unfinished(), "utf-8")
        second.open(home / "prepare.py")
        offered(second)
        assert len(workers()) == 1
        request = "return vim.lsp.get_clients({ bufnr = 0 })[1]:request_sync(...).result"
        told = second.lua(request, "workspace/executeCommand", {"command": "infill.status"}, 9000, 0)
        assert told["clients"] == 2
        assert told["pid"] == workers()[0].pid
