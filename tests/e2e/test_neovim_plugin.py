"""What the plugin has besides suggestions, in a real Neovim with the real server: :Infill, help, health,
status line, options, and how plugin managers load it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.neovim import BUILTIN, OLD, PLUGIN, Flavour, Neovim

from . import neovim

pytestmark = [pytest.mark.editor, pytest.mark.timeout(240)]

SOURCE = """\
def area(width, height):
    return width * height


def twice(value):
    pass


def thrice(value):
    result = value * 3
    return result
"""


@pytest.fixture(scope="module", params=[BUILTIN, OLD], ids=str)
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
    with neovim.running(path, server_command, home, {"settings": settings}) as editor:
        yield editor


@pytest.fixture
def opened(editor: Neovim, tmp_path: Path) -> Iterator[Neovim]:
    (tmp_path / "shapes.py").write_text(SOURCE, "utf-8")
    editor.open(tmp_path / "shapes.py")
    editor.lua("_G.told = {} vim.notify = function(text) table.insert(told, text) end")
    yield editor
    editor.nvim.command("silent! %bwipeout!")


def told(editor: Neovim) -> list[str]:
    return editor.lua("return told")


def done(editor: Neovim, seconds: float = 90) -> list[str]:
    """Waits until the text has changed or the user was told something; returns that."""
    editor.wait("a change or a word", lambda: editor.text != SOURCE or told(editor), seconds)
    return told(editor)


@dataclass(frozen=True)
class Change:
    command: str
    line: int  # of the cursor, from 1
    lines: tuple[int, int]  # that may change, from 1


@pytest.mark.parametrize(
    "case",
    [
        Change("Infill fill", 6, (6, 6)),
        Change("Infill fillall", 1, (6, 6)),
        Change("6Infill fill", 1, (6, 6)),
        Change("10,11Infill fill", 1, (10, 11)),
        Change("Infill docstring", 10, (10, 10)),
    ],
    ids=lambda case: case.command,
)
def test_commands_that_write(opened: Neovim, case: Change) -> None:
    opened.nvim.current.window.cursor = (case.line, 4)
    opened.nvim.command(case.command)
    said = done(opened)
    before, now = SOURCE.splitlines(), opened.text.splitlines()
    first, last = case.lines
    assert now[: first - 1] == before[: first - 1]
    assert now[len(now) - (len(before) - last) :] == before[last:]
    if opened.text == SOURCE:  # a weak model may find nothing; then it says why
        assert len(said) == 1, said
        assert said[0].startswith("infill: ")
    else:
        assert not said
        opened.nvim.command("undo")
        assert opened.text == SOURCE


def test_fix(opened: Neovim) -> None:
    opened.nvim.command("1Infill fix")
    assert done(opened) == ["infill: there is no diagnostic here"]
    opened.lua("told = {}")
    opened.lua("""
        local namespace = vim.api.nvim_create_namespace('test')
        vim.diagnostic.set(namespace, 0, { {
            lnum = 9, col = 4, end_lnum = 9, end_col = 10, message = 'name result is not used', severity = 2,
        } })
    """)
    opened.nvim.command("10Infill fix")
    said = done(opened)
    now = opened.text.splitlines()
    assert now[:9] == SOURCE.splitlines()[:9]
    assert now[-1:] == SOURCE.splitlines()[-1:]
    assert bool(said) == (opened.text == SOURCE)


def test_rewrite_asks_and_remembers(opened: Neovim) -> None:
    opened.lua("""
        vim.ui.input = function(options, go)
            _G.asked = options
            go('make it shorter')
        end
    """)
    opened.nvim.command("10,11Infill rewrite")
    refusal = done(opened)
    assert len(refusal) == 1  # the embedded model follows no instructions, and says so
    assert "instruction" in refusal[0]
    assert opened.text == SOURCE
    opened.nvim.command("10Infill rewrite name it differently")
    opened.wait("refusal", lambda: len(told(opened)) == 2)
    complete = "return vim.fn.getcompletion(..., 'cmdline')"
    assert opened.lua(complete, "Infill rewrite ") == ["name it differently", "make it shorter"]
    assert opened.lua(complete, "Infill rewrite make it") == ["make it shorter"]
    completion = opened.lua("return asked.completion")
    assert completion.startswith("customlist,v:lua.")
    called = 'return vim.fn.luaeval("' + completion.partition("v:lua.")[2].replace("'", "'") + "('short')\")"
    assert opened.lua(called) == ["make it shorter"]


def test_the_instruction_is_typed_at_the_prompt(opened: Neovim) -> None:
    opened.lua("vim.ui.input = loadfile(vim.env.VIMRUNTIME .. '/lua/vim/ui.lua')().input")
    opened.keys(":10Infill rewrite<CR>shorten<CR>")
    assert "instruction" in done(opened)[0]
    opened.lua("told = {}")
    opened.keys(":10Infill rewrite<CR>short<Tab><CR>")
    opened.wait("refusal", lambda: told(opened))
    assert opened.lua("return require('infill.history').all()[1]") == "shorten"


def test_proofread(opened: Neovim) -> None:
    """What the server says it can do decides; a server that cannot is said to be too old."""
    commands = (
        "return vim.lsp.get_clients({ bufnr = 0 })[1].server_capabilities.executeCommandProvider.commands"
    )
    opened.nvim.command("Infill proofread")
    said = opened.wait("a word", lambda: told(opened), 90)
    if "infill.proofread" in opened.lua(commands):
        assert re.fullmatch(r"infill: \d+ unlikely places?.*", said[0])
    else:
        assert said == ["infill: this infill-ls has no infill.proofread: a newer one may"]


def test_status_and_restart(opened: Neovim, workers: Callable[[], list[object]]) -> None:
    opened.nvim.command("messages clear")
    opened.nvim.command("Infill restart")
    opened.wait("restart", lambda: told(opened) == ["infill: the worker has been restarted"], 60)
    opened.nvim.command("Infill status")
    opened.wait("status", lambda: "model embedded on" in opened.messages(), 30)
    assert re.search(r"worker \d+: (loading|ready)", opened.messages())
    opened.wait("the end of the worker before", lambda: len(workers()) == 1)


def test_log(opened: Neovim) -> None:
    opened.nvim.command("Infill log")
    assert opened.nvim.current.buffer.name == opened.lua("return vim.lsp.log.get_filename()")


def test_wrong_use(opened: Neovim) -> None:
    for command, says in (
        ("Infill nonsense", "there is no :Infill nonsense"),
        ("Infill status now", ":Infill status takes nothing more"),
    ):
        opened.lua("told = {}")
        opened.nvim.command(command)
        assert says in told(opened)[0]
    opened.nvim.command("enew")
    for command in ("fill", "fillall", "status", "rewrite x", "docstring"):
        opened.lua("told = {}")
        opened.nvim.command("Infill " + command)
        assert told(opened) == [
            "infill: no server is attached to this buffer; :checkhealth infill says why"
        ], command
    names = opened.lua("return vim.fn.getcompletion('Infill ', 'cmdline')")
    assert " ".join(names) == "docstring fill fillall fix log proofread restart rewrite status"
    assert opened.lua("return vim.fn.getcompletion('Infill re', 'cmdline')") == ["restart", "rewrite"]
    assert opened.lua("return vim.fn.getcompletion('Infill fix ', 'cmdline')") == []


def test_statusline(opened: Neovim) -> None:
    line = "return require('infill').statusline()"
    opened.lua("""
        _G.states = {}
        vim.api.nvim_create_autocmd('User', { pattern = 'InfillStatus', callback = function(event)
            table.insert(states, event.data.state)
        end })
    """)
    opened.keys("10GA +")
    opened.wait("a fill's latency", lambda: re.fullmatch(r"infill \d+ ms", opened.lua(line)), 60)
    opened.keys(" 1 +")  # the model is loaded now, so that the state can be nothing but busy
    opened.wait("busy, then idle", lambda: {"busy", "idle"} <= set(opened.lua("return states")))
    opened.keys("<Esc>")
    assert re.search(r"infill \d+ ms", "\n".join(opened.screen()))
    told_so = "require('infill.status').received(..., vim.lsp.get_clients({ bufnr = 0 })[1].id)"
    for status, shown in (
        ({"state": "loading", "message": "", "progress": 0.4}, "infill loading 40%"),
        ({"state": "degraded", "message": "it broke"}, "infill degraded"),
        ({"state": "stopped", "message": ""}, "infill stopped"),
        ({"state": "busy", "message": "", "latency": 80.6}, "infill ..."),
        ({"state": "idle", "message": "", "latency": 80.6}, "infill 81 ms"),
    ):
        opened.lua(told_so, status)
        assert shown in "\n".join(opened.screen())
    opened.nvim.command("enew")
    assert opened.lua(line) == ""


def test_checkhealth(opened: Neovim) -> None:
    opened.nvim.command("checkhealth infill")
    report = opened.text
    for words in ("infill: plugin", "infill: client", "infill: server", "positions in utf-8"):
        assert words in report
    for checked in ("model:", "memory:", "device:", "grammars:", "socket:", "worker:"):
        assert checked in report, report
    assert "ERROR" not in report


def test_help(opened: Neovim, tmp_path: Path) -> None:
    """Every tag is unique and found, and everything that can be chosen is described."""
    copy = tmp_path / "doc"
    shutil.copytree(PLUGIN / "doc", copy, ignore=shutil.ignore_patterns("tags"))
    opened.nvim.command(f"helptags {copy}")
    tags = {line.split("\t")[0] for line in (copy / "tags").read_text("utf-8").splitlines()}
    text = (copy / "infill.txt").read_text("utf-8")
    assert {"infill", ":Infill", "infill-options"} <= tags
    named = set(re.findall(r"\|((?:infill|:Infill|hl-Infill)[\w:.-]*)\|", text))
    assert named <= tags, named - tags
    for name in opened.lua("return require('infill.command').names()"):
        assert f":Infill-{name}" in tags
    for name in opened.lua("return vim.tbl_keys(require('infill.options').get())"):
        assert re.search(rf"^      {name} = ", text, re.M), name
    for name in opened.lua("return vim.tbl_keys(require('infill'))"):
        assert re.search(rf"^    {name}\(|\b{name} = ", text, re.M) or name == "start", name
    maps = opened.lua("""return vim.tbl_map(function(map) return map.lhs end,
        vim.list_extend(vim.api.nvim_get_keymap('i'), vim.api.nvim_get_keymap('x')))""")
    plugs = {lhs for lhs in maps if lhs.startswith("<Plug>(infill")}
    assert len(plugs) == 9
    assert plugs <= tags
    assert max(map(len, text.splitlines())) <= 79
    opened.nvim.command(f"set rtp+={tmp_path}")
    opened.nvim.command("noautocmd help infill")  # the unpacked Neovim lacks the parser that colours help
    assert "infill-ls is a language server" in opened.text


def test_wrong_options_are_named(flavour: Flavour, tmp_path: Path) -> None:
    options: dict[str, object] = {
        "ghost": "none",
        "drafts": "yes",
        "speed": 9,
        "keys": {"accept": "<Tab>", "agree": "x"},
    }
    with neovim.running(neovim.needed(flavour.version), ["true"], tmp_path, options) as editor:
        said = editor.messages()
        for problem in (
            "infill: drafts must be a boolean",
            "infill: ghost must be 'own', or 'builtin' with Neovim 0.12 or later",
            'infill: keys has no "agree", or it is no string',
            'infill: there is no option "speed"',
        ):
            assert problem in said
        editor.nvim.command("checkhealth infill")
        assert editor.text.count("infill-options") == 4


def test_a_server_that_is_not_there(flavour: Flavour, tmp_path: Path) -> None:
    with neovim.running(neovim.needed(flavour.version), ["/no/infill-ls", "serve"], tmp_path, {}) as editor:
        assert "infill" not in editor.messages()  # nobody needs it yet
        editor.nvim.command("edit a.txt")
        assert "infill" not in editor.messages()
        editor.nvim.command("edit a.py")
        expected = "infill: /no/infill-ls cannot be run: install it or set `cmd`, see :help infill-install"
        assert expected in editor.messages()
        editor.nvim.command("checkhealth infill")
        assert "ERROR /no/infill-ls cannot be run" in editor.text


LAZY = """
vim.opt.rtp:prepend(vim.env.HOME .. '/plugins/infill')  -- what lazy.nvim does, plugin files included
vim.cmd.runtime({ 'plugin/infill.lua', bang = true })
require('infill').setup({ keys = { accept = '<C-y>' } })
"""


@dataclass(frozen=True)
class Layout:
    name: str
    place: str  # of the plugin, below the home folder
    init: str = "vim.g.infill = { keys = { accept = '<C-y>' } }"
    late: str = ""  # run when Neovim is up


@pytest.mark.parametrize(
    "layout",
    [
        Layout("package", "data/nvim/site/pack/infill/start/infill"),
        Layout("optional", "data/nvim/site/pack/infill/opt/infill", late="packadd infill"),
        Layout("packer", "data/nvim/site/pack/packer/start/infill"),
        Layout("vim.pack", "data/nvim/site/pack/core/opt/infill", late="packadd infill"),
        Layout("lazy", "plugins/infill", init=LAZY),
        Layout(
            "lazy, by file type",
            "plugins/infill",
            init="",
            late="lua "
            + LAZY.replace("\n", " ").replace("-- what lazy.nvim does, plugin files included", ""),
        ),
    ],
    ids=lambda layout: layout.name,
)
def test_layouts(flavour: Flavour, server_command: list[str], tmp_path: Path, layout: Layout) -> None:
    """As a package and as the managers lay it out: the client starts and the options arrive."""
    place = tmp_path / layout.place
    place.parent.mkdir(parents=True)
    shutil.copytree(PLUGIN, place, ignore=shutil.ignore_patterns("tags"))
    config = tmp_path / "config" / "nvim"
    config.mkdir(parents=True)
    (config / "init.lua").write_text("vim.o.swapfile = false\n" + layout.init)
    (tmp_path / "shapes.py").write_text(SOURCE)
    argument = [str(tmp_path / "shapes.py")]
    path = neovim.needed(flavour.version)
    with neovim.running(path, server_command, tmp_path, {}, init=None, arguments=argument) as editor:
        assert editor.text == SOURCE
        if layout.late:
            editor.nvim.command(layout.late)
        ready = "local c = vim.lsp.get_clients({ bufnr = 0 })[1] return c and c.initialized and c.name"
        assert editor.wait("client", lambda: editor.lua(ready), 30) == "infill_ls"
        assert editor.lua("return vim.fn.maparg('<C-y>', 'i', false, true).desc") == "infill: accept"
        assert editor.lua("return vim.fn.exists(':Infill')") == 2
        editor.lua("vim.wait(500, function() end)")  # for the server's settings
        said = [line for line in editor.messages().splitlines() if str(argument[0]) not in line]
        assert [line for line in said if "infill" in line] == []
        editor.nvim.command(f"helptags {place}/doc")
        editor.nvim.command("noautocmd help infill")
        assert "infill-ls is a language server" in editor.text
