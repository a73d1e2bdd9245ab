"""What the plugin shows of early, late and odd answers, in a real Neovim with a stand-in server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.neovim import BUILTIN, FLAVOURS, Flavour, Neovim

from . import neovim

pytestmark = pytest.mark.editor

STAND_IN = Path(__file__).with_name("neovim_stand_in.lua")
KEYS = {
    "accept": "<Tab>",
    "accept_word": "<M-Right>",
    "accept_line": "<M-Down>",
    "next": "<M-]>",
    "dismiss": "<C-]>",
}


class StandIn:
    """An editor whose server waits for the test."""

    def __init__(self, editor: Neovim, flavour: Flavour) -> None:
        self.editor, self.flavour = editor, flavour

    def asked(self) -> dict[str, Any]:
        """The parameters of the newest request about the text as it is, which waits for its answer."""
        return self.editor.wait("request", lambda: self.editor.lua("return stand_in.asked()"))

    def quiet(self, seconds: float = 0.5) -> bool:
        """Whether nothing is asked for within that time."""
        time.sleep(seconds)
        return self.editor.lua("return #stand_in.waiting") == 0

    def answer(self, result: object, name: str | None = None) -> None:
        """Answer the newest request and wait until that has arrived."""
        self.editor.lua("stand_in.answer(...)", result, name)
        self.editor.lua("vim.wait(20, function() end)")

    def settle(self) -> None:
        """Answer a request that is still open."""
        time.sleep(0.25)
        self.editor.lua("if #stand_in.waiting > 0 then stand_in.answer(nil) end")

    def calls(self, method: str) -> list[Any]:
        code = "local m = ... return vim.tbl_filter(function(c) return c.method == m end, stand_in.calls)"
        return [call["params"] for call in self.editor.lua(code, method)]


def at(row: int, start: int, end: int | None = None) -> dict[str, Any]:
    return {
        "start": {"line": row, "character": start},
        "end": {"line": row, "character": start if end is None else end},
    }


def item(text: str, where: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    return {"insertText": text, **({"range": where} if where else {}), **more}


@pytest.fixture(scope="module", params=FLAVOURS, ids=str)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return request.param


Start = Callable[..., Any]


@pytest.fixture(scope="module")
def started(flavour: Flavour, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    path, home = neovim.needed(flavour.version), tmp_path_factory.mktemp("nvim")
    options: dict[str, object] = {"ghost": flavour.ghost, "keys": KEYS}
    with neovim.running(path, ["true"], home, options) as editor:
        configure(editor)
        yield StandIn(editor, flavour)


def configure(editor: Neovim, encoding: str = "utf-16") -> None:
    commands = ["infill.accepted", "infill.fill", "infill.status", "infill.restartWorker", "infill.rewrite"]
    editor.lua("dofile(...)", str(STAND_IN))
    editor.lua("stand_in.config(...)", "infill_ls", encoding, commands)


@pytest.fixture
def stand_in(started: StandIn, tmp_path: Path) -> Iterator[StandIn]:
    editor = started.editor
    (tmp_path / "a.py").write_text("")
    editor.keys("<Esc>")
    editor.open(tmp_path / "a.py")
    yield started
    editor.keys("<Esc>")
    started.settle()
    editor.nvim.command("bwipeout!")


@dataclass(frozen=True)
class Case:
    name: str
    before: str  # text up to the cursor
    item: dict[str, Any]
    shown: str
    keys: tuple[str, ...]
    text: str
    after: str = ""
    left: str = ""
    commands: list[str] = field(default_factory=list)


TOLD = {"title": "", "command": "infill.accepted"}
CASES = [
    Case("no range", "x = ", item("1"), "1", ("<Tab>",), "x = 1"),
    Case(
        "of the whole line",
        "x = ",
        item("x = 1", at(0, 0, 4), command=TOLD),
        "1",
        ("<Tab>",),
        "x = 1",
        commands=["infill.accepted"],
    ),
    Case("lines", "a = f(", item("\n    1,\n)", at(0, 6)), "\n    1,\n)", ("<Tab>",), "a = f(\n    1,\n)"),
    Case("a line", "a = ", item("1\nb = 2\nc"), "1\nb = 2\nc", ("<M-Down>",), "a = 1", left="\nb = 2\nc"),
    Case(
        "line after line",
        "a = ",
        item("1\nb = 2\nc", command=TOLD),
        "1\nb = 2\nc",
        ("<M-Down>", "<M-Down>"),
        "a = 1\nb = 2",
        left="\nc",
    ),
    Case(
        "the last line",
        "a = ",
        item("1\nb", command=TOLD),
        "1\nb",
        ("<M-Down>", "<M-Down>"),
        "a = 1\nb",
        commands=["infill.accepted"],
    ),
    Case("a word over the line's end", "a = ", item("1\n  b"), "1\n  b", ("<M-Right>",) * 2, "a = 1\n  b"),
    Case(
        "words",
        "",
        item("über_größe(日本)"),
        "über_größe(日本)",
        ("<M-Right>",) * 3,
        "über_größe(日本",
        left=")",
    ),
    Case("over a closer", "f(", item("a, b)", at(0, 2, 3)), "a, b)", ("<Tab>",), "f(a, b)", after=")"),
    Case(
        "a word over a closer",
        "f(",
        item("a, b)", at(0, 2, 3)),
        "a, b)",
        ("<M-Right>", "<M-Right>"),
        "f(a,)",
        after=")",
        left=" b)",
    ),
    Case(
        "the last word over a closer",
        "f(",
        item("ab)", at(0, 2, 3), command=TOLD),
        "ab)",
        ("<M-Right>",),
        "f(ab)",
        after=")",
        commands=["infill.accepted"],
    ),
    Case("before text", "f(", item("a, "), "a, ", ("<Tab>",), "f(a, b)", after="b)"),
    Case("typed and accepted", "x = ", item("value"), "value", ("va", "<Tab>"), "x = value"),
    Case("typed and deleted", "x = ", item("value"), "value", ("va", "<BS>"), "x = v", left="alue"),
    Case("behind other scripts", "é, 🦊 = ", item("1", at(0, 8)), "1", ("<Tab>",), "é, 🦊 = 1"),
    Case("carriage returns", "x = ", item("1\r\ny"), "1\ny", ("<Tab>",), "x = 1\ny"),
    Case("of another line", "x = ", item("1", at(3, 0)), "", ("z",), "x = z"),
    Case("behind the cursor", "x = ", item("1", at(0, 5, 6)), "", ("z",), "x = zyy", after="yy"),
    Case("what is there", "x = ", item("yy", at(0, 4, 6)), "", ("z",), "x = zyy", after="yy"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_shown_and_accepted(stand_in: StandIn, case: Case) -> None:
    editor = stand_in.editor
    editor.keys("i")
    editor.type(case.before + case.after)
    if case.after:
        editor.keys("<Left>" * len(case.after))
    stand_in.settle()
    editor.type("_")
    editor.keys("<BS>")
    assert stand_in.asked()["position"]["line"] == 0
    stand_in.answer({"items": [case.item]})
    assert (editor.ghost() or {"text": ""})["text"] == case.shown
    for keys in case.keys:
        editor.keys(keys)
    assert editor.text == case.text + "\n"
    assert (editor.ghost() or {"text": ""})["text"] == case.left
    assert editor.lua("return vim.g.commands") == case.commands
    assert "rror" not in editor.messages()


def test_an_answer_that_is_late(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x = ")
    stand_in.asked()
    editor.type("va")
    stand_in.answer([item("value", at(0, 4))])
    assert editor.ghost() == {"row": 0, "column": 6, "text": "lue"}  # it still fits
    editor.type("x")
    assert editor.ghost() is None
    stand_in.asked()
    editor.type("y")
    stand_in.answer([item("_other", at(0, 7))])
    assert editor.ghost() is None  # it does not
    editor.keys("<Tab>")
    assert editor.text.startswith("x = vaxy ")


def test_null_says_nothing_and_an_empty_list_takes_back(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x = ")
    stand_in.asked()
    stand_in.answer([item("value", at(0, 4))])
    for answer, shown in ((None, "value"), ([], None)):
        editor.keys("<M-]>")
        stand_in.asked()
        stand_in.answer(answer)
        assert (editor.ghost() or {"text": None})["text"] == shown


def test_alternatives(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x = ")
    assert stand_in.asked()["context"]["triggerKind"] == 2
    stand_in.answer([item("one", at(0, 4))])
    editor.keys("<M-]>")
    assert stand_in.asked()["context"]["triggerKind"] == 1
    stand_in.answer([item(text, at(0, 4)) for text in ("one", "other", "ones")])
    assert editor.ghost() == {"row": 0, "column": 4, "text": "other"}
    assert "other (2/3)" in editor.screen()[0]
    editor.keys("<M-]>")
    assert editor.ghost() == {"row": 0, "column": 4, "text": "ones"}
    editor.type("o")
    assert editor.ghost() == {"row": 0, "column": 5, "text": "nes"}
    editor.keys("<M-]><M-]>")  # round to the first, and on to the second
    assert editor.ghost() == {"row": 0, "column": 5, "text": "ther"}
    editor.type("n")  # the second is out
    assert editor.ghost() == {"row": 0, "column": 6, "text": "e"}
    assert stand_in.quiet()
    editor.keys("<M-]><Tab>")
    assert editor.text == "x = ones\n"


def test_what_is_shown_is_not_asked_for_again(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x = ")
    stand_in.asked()
    stand_in.answer([item("value.of_this(and_that)", at(0, 4))])
    for character in "value":
        editor.type(character)
        assert stand_in.quiet(0.3)
    editor.keys("<M-Right>")
    assert stand_in.quiet()
    assert editor.ghost() == {"row": 0, "column": 10, "text": "of_this(and_that)"}
    editor.keys("<Esc>")
    assert editor.ghost() is None


def test_who_types_steadily_is_not_waited_for(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x =")
    stand_in.settle()  # the first request of a buffer may be Neovim's
    if stand_in.flavour.ghost == "builtin":  # Neovim asks after 200 ms without a key; from now on it does not
        editor.lua("vim.lsp.inline_completion.enable(false, { bufnr = 0 })")
    editor.type(" ")
    assert stand_in.asked()["position"] == {"line": 0, "character": 4}
    stand_in.settle()


def test_one_place_is_asked_for_once(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x =")
    stand_in.settle()
    editor.type(" ")
    assert stand_in.asked()["position"] == {"line": 0, "character": 4}
    time.sleep(0.5)
    assert editor.lua("return #stand_in.waiting") == 1


def test_an_expression_mapping(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.lua("""vim.keymap.set('i', '<C-y>', function()
        return require('infill').accept() and '' or 'none'
    end, { expr = true, buffer = true })""")
    editor.type_at(0, 0, "x = ")
    stand_in.asked()
    stand_in.answer([item("value", at(0, 4))])
    editor.keys("<C-y>")
    editor.wait("accepted text", lambda: editor.text == "x = value\n")
    editor.keys("<C-y>")
    editor.wait("the mapping's own", lambda: editor.text == "x = valuenone\n")


def draft(editor: Neovim, texts: list[str], column: int, version: int = 0) -> None:
    code = """
        local texts, column, late = ...
        local version = vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()] - late
        local told = { uri = vim.uri_from_bufnr(0), version = version, step = 1, texts = texts }
        told.position = { line = 0, character = column }
        stand_in.notify('infill/draft', told)
    """
    editor.lua(code, texts, column, version)
    editor.lua("vim.wait(20, function() end)")


def test_drafts(stand_in: StandIn) -> None:
    editor = stand_in.editor
    editor.type_at(0, 0, "x = ")
    stand_in.asked()
    for text in ("v l", "val", "value"):
        draft(editor, [text], 4)
        assert editor.draft() == {"row": 0, "column": 4, "text": text}
    draft(editor, ["  "], 4)
    assert editor.draft() is None
    draft(editor, ["val"], 3)
    draft(editor, ["val"], 4, version=1)
    assert editor.draft() is None  # of another time or place
    draft(editor, ["value"], 4)
    stand_in.answer([])
    assert editor.draft() is None
    editor.type("y")
    stand_in.asked()
    draft(editor, ["value"], 5)
    editor.type("z")
    assert editor.draft() is None
    draft(editor, ["value"], 6)
    editor.keys("<Esc>")
    assert editor.draft() is None


def test_utf_8_and_utf_32(flavour: Flavour, tmp_path: Path) -> None:
    for encoding, column in (("utf-8", 10), ("utf-32", 6)):
        home = tmp_path / encoding
        with neovim.running(
            neovim.needed(flavour.version), ["true"], home, {"ghost": flavour.ghost}
        ) as editor:
            configure(editor, encoding)
            stand_in = StandIn(editor, flavour)
            (home / "a.py").write_text("")
            editor.open(home / "a.py")
            editor.type_at(0, 0, "é🦊 = (")
            assert stand_in.asked()["position"]["character"] == column
            stand_in.answer([item("1)", at(0, column))])
            editor.keys("<Tab>")
            assert editor.text == "é🦊 = (1)\n"


def test_only_when_asked(flavour: Flavour, tmp_path: Path) -> None:
    options: dict[str, object] = {"ghost": flavour.ghost, "automatic": False, "keys": KEYS, "drafts": False}
    with neovim.running(neovim.needed(flavour.version), ["true"], tmp_path, options) as editor:
        configure(editor)
        stand_in = StandIn(editor, flavour)
        (tmp_path / "a.py").write_text("")
        editor.open(tmp_path / "a.py")
        wanted = stand_in.calls("initialize")[0]["capabilities"]["experimental"]["infill"]
        assert not wanted["drafts"], "this user has turned them off"
        editor.type_at(0, 0, "x = ")
        assert stand_in.quiet(0.8)
        editor.keys("<M-]>")
        assert stand_in.asked()["context"]["triggerKind"] == 1
        stand_in.answer([item("1")])
        assert editor.ghost() == {"row": 0, "column": 4, "text": "1"}
        editor.keys("<Esc>o<M-]>")  # before Neovim has asked by itself
        assert stand_in.asked()["context"]["triggerKind"] == 1


def test_beside_another_server(tmp_path: Path) -> None:
    """On 0.12 both may offer something; accepted is what is drawn."""
    with neovim.running(neovim.needed(BUILTIN.version), ["true"], tmp_path, {"keys": KEYS}) as editor:
        configure(editor)
        editor.lua("stand_in.config('another', 'utf-16', {}) vim.lsp.enable('another')")
        stand_in = StandIn(editor, BUILTIN)
        (tmp_path / "a.py").write_text("")
        editor.open(tmp_path / "a.py")
        both = "return #vim.lsp.get_clients({ bufnr = 0 }) == 2"
        editor.wait("both servers", lambda: editor.lua(both))
        editor.type_at(0, 0, "x = ")
        editor.wait("both asked", lambda: editor.lua("return #stand_in.waiting") == 2)
        stand_in.answer([item("ours", at(0, 4))], "infill_ls")
        stand_in.answer([item("theirs", at(0, 4))], "another")
        shown = editor.ghost()
        assert shown
        editor.keys("<Tab>")
        editor.wait("accepted text", lambda: editor.text == f"x = {shown['text']}\n")
