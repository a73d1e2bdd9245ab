"""What the plugin has besides suggestions, in a real Neovim with the real server: :Infill, help, health,
status line, options, and how plugin managers load it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lsp_server.config.settings import LANGUAGES
from tests.conftest import private_workers
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


@pytest.fixture
def unasked_off(editor: Neovim) -> Iterator[None]:
    """Nothing is suggested while typing, in documents that are opened meanwhile."""
    editor.lua("require('infill').setup({ automatic = false })")
    yield
    editor.lua("require('infill').setup({ automatic = true })")


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


NEXT_EDIT = """
local found = {}
local namespace = vim.api.nvim_get_namespaces()['infill.next_edit']
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace or -1, 0, -1, { details = true })) do
  local look = mark[4]
  local text = vim.trim(look.sign_text or look.virt_text and look.virt_text[1][1] or '-')
  table.insert(found, { mark[2], mark[3], look.end_col or 0, text })
end
return found
"""
RENAMED = SOURCE.replace("area(width", "area(depth")


def next_edit(editor: Neovim) -> list[tuple[int, int, int, str]]:
    """What is drawn: row, first and last column, text."""
    return sorted(tuple(each) for each in editor.lua(NEXT_EDIT))


@pytest.mark.usefixtures("unasked_off")  # a suggestion that is shown is accepted before a next edit
@pytest.mark.parametrize("mode", ["normal", "insert"])
def test_the_next_edit_is_shown_gone_to_and_made(opened: Neovim, mode: str) -> None:
    opened.nvim.current.window.cursor = (1, 9)
    key = "<Plug>(infill-next-edit)" if mode == "normal" else "<Plug>(infill-accept)"
    opened.nvim.command(f"{mode[0]}map <F5> {key}")
    opened.keys("cwdepth" + "<Esc>" * (mode == "normal"))
    opened.wait("next edit", lambda: next_edit(opened))
    assert next_edit(opened) == [(1, 0, 0, "→"), (1, 11, 16, "-"), (1, 16, 0, "depth")]
    opened.keys("<F5>")
    opened.wait("jump", lambda: opened.cursor == (1, 11))
    assert opened.text == RENAMED
    opened.keys("<F5>")
    opened.wait("change", lambda: opened.text == RENAMED.replace("return width", "return depth"))
    assert opened.cursor[0] == 1
    opened.keys("<Esc>u")
    opened.wait("undo of the edit alone", lambda: opened.text == RENAMED)


def test_the_next_edit_is_dismissed_and_turned_off(opened: Neovim) -> None:
    opened.nvim.command("nmap <F6> <Plug>(infill-dismiss)")
    opened.nvim.current.window.cursor = (1, 9)
    opened.keys("cwdepth<Esc>")
    opened.wait("next edit", lambda: next_edit(opened))
    opened.keys("<F6>")
    opened.wait("nothing", lambda: not next_edit(opened))
    opened.nvim.command("Infill status")
    said = opened.wait("status", lambda: floating(opened), 30)
    assert re.search(r"next edits \(rules\): \d+ shown, \d+ accepted, [1-9]\d* dismissed, \d+ ignored", said)
    opened.nvim.command("Infill toggle nextedit")
    assert told(opened) == ["infill: next edits are off"]
    opened.nvim.command("Infill toggle nextedit")
    assert told(opened)[1:] == ["infill: next edits are on"]


def test_a_next_edit_out_of_sight_is_announced(opened: Neovim) -> None:
    opened.nvim.current.buffer[1:1] = ["    # more"] * 200
    opened.nvim.current.window.cursor = (1, 9)
    opened.keys("cwdepth<Esc>")
    opened.wait("next edit", lambda: next_edit(opened))
    assert next_edit(opened)[0] == (0, 0, 0, "→ line 202: depth")


def test_the_errors_in_the_buffer_go_with_the_request(opened: Neovim) -> None:
    """Those of any server: the edit may have brought one about."""
    opened.lua("""
        local found = { lnum = 1, col = 4, message = 'no name', severity = vim.diagnostic.severity.ERROR }
        local hint = { lnum = 1, col = 4, message = 'a hint', severity = vim.diagnostic.severity.HINT }
        vim.diagnostic.set(vim.api.nvim_create_namespace('test.errors'), 0, { found, hint })
        local server = vim.lsp.get_clients({ bufnr = 0 })[1]
        local request = server.request
        server.request = function(self, method, params, ...)
            sent = method == 'infill/nextEdit' and params or sent
            return request(self, method, params, ...)
        end
    """)
    opened.nvim.current.window.cursor = (1, 9)
    opened.keys("cwdepth<Esc>")
    opened.wait("next edit", lambda: next_edit(opened))
    (error,) = opened.lua("return sent.context.diagnostics")
    assert error["message"] == "no name"
    assert error["range"]["start"] == {"line": 1, "character": 4}


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


CHAT = {"backend": "openai", "backendUrl": "http://127.0.0.1:9", "model": "chat"}


POSSIBLE = """
local status = { command = 'infill.status' }
local client = vim.lsp.get_clients({ bufnr = 0 })[1]
local answer = client:request_sync('workspace/executeCommand', status, 20000, 0)
return answer and answer.result and answer.result.rewrites.possible
"""


@pytest.fixture
def chatting(
    flavour: Flavour, server_command: list[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    """An editor whose model may follow instructions, on a server of the user's that is not there."""
    path, home = neovim.needed(flavour.version), tmp_path_factory.mktemp("chatting")
    with private_workers(), neovim.running(path, server_command, home, {"settings": CHAT}) as editor:
        (tmp_path / "shapes.py").write_text(SOURCE, "utf-8")
        editor.lua("_G.told = {} vim.notify = function(text) table.insert(told, text) end")
        editor.open(tmp_path / "shapes.py")
        editor.wait("settings", lambda: editor.lua(POSSIBLE), 30)
        yield editor


def test_a_rewrite_is_refused_before_it_is_asked_for(opened: Neovim) -> None:
    opened.lua("_G.asked = nil vim.ui.input = function() _G.asked = true end")
    opened.nvim.command("10,11Infill rewrite")
    (refusal,) = done(opened)
    assert "the embedded model follows no instructions; DiffusionGemma does" in refusal
    assert ":help infill-models" in refusal
    assert not opened.lua("return asked")


def test_the_plugin_vouches_for_its_options(chatting: Neovim) -> None:
    chatting.nvim.command("10Infill rewrite shorter")
    said = done(chatting)
    assert "127.0.0.1:9" in said[-1], said  # it was asked, and is not there
    assert not [each for each in said if "may have set it" in each]


def test_rewrite_asks_and_remembers(chatting: Neovim) -> None:
    opened = chatting
    opened.lua("""
        vim.ui.input = function(options, go)
            _G.asked = options
            go('make it shorter')
        end
    """)
    opened.nvim.command("10,11Infill rewrite")
    refusal = done(opened)
    assert "127.0.0.1:9" in refusal[-1]
    opened.lua("told = {}")
    assert opened.text == SOURCE
    opened.nvim.command("10Infill rewrite name it differently")
    opened.wait("refusal", lambda: told(opened))
    complete = "return vim.fn.getcompletion(..., 'cmdline')"
    assert opened.lua(complete, "Infill rewrite ") == ["name it differently", "make it shorter"]
    assert opened.lua(complete, "Infill rewrite make it") == ["make it shorter"]
    completion = opened.lua("return asked.completion")
    assert completion.startswith("customlist,v:lua.")
    called = 'return vim.fn.luaeval("' + completion.partition("v:lua.")[2].replace("'", "'") + "('short')\")"
    assert opened.lua(called) == ["make it shorter"]


def test_the_instruction_is_typed_at_the_prompt(chatting: Neovim) -> None:
    opened = chatting
    opened.lua("vim.ui.input = loadfile(vim.env.VIMRUNTIME .. '/lua/vim/ui.lua')().input")
    at_prompt = "return vim.fn.mode() == 'c' and vim.fn.getcmdtype() == '@'"
    opened.keys(":10Infill rewrite<CR>")
    opened.wait("prompt", lambda: opened.lua(at_prompt))
    opened.keys("shorten<CR>")
    assert "127.0.0.1:9" in done(opened)[-1]
    opened.lua("told = {}")
    opened.keys(":10Infill rewrite<CR>")
    opened.wait("prompt", lambda: opened.lua(at_prompt))
    opened.keys("short<Tab><CR>")
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
    opened.nvim.command("Infill restart")
    opened.wait("restart", lambda: told(opened) == ["infill: the worker has been restarted"], 60)
    opened.lua("told = {}")
    opened.nvim.command("Infill status")
    said = opened.wait("status", lambda: floating(opened), 30)
    assert re.search(r"worker \d+: (loading|ready)", said)
    assert "model embedded on" in said
    assert "this buffer: on" in said
    assert re.search(r"1 client,|[02-9] clients,", said)
    assert opened.nvim.api.get_mode()["blocking"] is False  # no prompt that wants a key
    opened.wait("the end of the worker before", lambda: len(workers()) == 1)


def floating(editor: Neovim) -> str:
    """The text of the floating window, if there is one."""
    return editor.lua("""
        for _, window in ipairs(vim.api.nvim_list_wins()) do
            if vim.api.nvim_win_get_config(window).relative ~= '' then
                local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
                return table.concat(lines, '\\n')
            end
        end
        return ''
    """)


def test_why_the_last_place_stayed_silent(opened: Neovim) -> None:
    opened.keys("1GO# x")
    silent = "return require('infill.status').silence(0) or require('infill.status').silence(vim.fn.bufnr())"
    assert opened.wait("reason", lambda: opened.lua(silent), 30).startswith("line 1: ")
    opened.keys("<Esc>")
    opened.nvim.command("Infill status")
    assert "nothing offered, line 1: " in opened.wait("status", lambda: floating(opened), 30)


def test_suggestions_are_turned_off_and_on(opened: Neovim) -> None:
    line = "return require('infill').statusline()"
    opened.wait("on", lambda: "off" not in opened.lua(line))
    for command, off, words in (
        ("toggle", "infill off", "infill-ls is off: infill.enable is false"),
        ("toggle language", "infill off", "infill-ls is off for python"),
        ("toggle buffer", "infill off", "infill-ls is off in this file"),
        ("snooze", "infill snoozed", "infill-ls is snoozed for 10 min"),
    ):
        opened.lua("told = {}")
        opened.nvim.command("Infill " + command)
        opened.wait(words, lambda off=off: opened.lua(line) == off)
        assert words in opened.wait("a word", lambda: told(opened))[-1]
        opened.lua("told = {}")
        opened.nvim.command("Infill " + command)
        opened.wait("on again", lambda: told(opened) == ["infill: suggestions are on in this buffer"])
        assert "off" not in opened.lua(line)
    assert opened.lua("return vim.fn.getcompletion('Infill toggle ', 'cmdline')") == [
        "all",
        "buffer",
        "language",
        "nextedit",
    ]


def test_the_languages_are_the_server_s(opened: Neovim) -> None:
    assert opened.lua("return require('infill.options').LANGUAGES") == list(LANGUAGES)


def test_a_language_that_is_off(opened: Neovim, tmp_path: Path) -> None:
    (tmp_path / "shapes.rb").write_text("def area\nend\n", "utf-8")
    opened.nvim.command(f"edit {tmp_path / 'shapes.rb'}")
    opened.nvim.command("setfiletype ruby")
    assert opened.lua("return require('infill').statusline()") == "infill off"
    opened.nvim.command("Infill fillall")
    assert told(opened) == ["infill: off for ruby; :Infill toggle language turns it on"]
    opened.nvim.command("Infill toggle language")
    attached = "local c = vim.lsp.get_clients({ bufnr = 0 })[1] return c and c.initialized and c.name"
    assert opened.wait("client", lambda: opened.lua(attached), 30) == "infill_ls"
    document = "return (require('infill.status').document(vim.fn.bufnr()) or {}).on"
    opened.wait("on", lambda: opened.lua(document))
    opened.nvim.command("Infill toggle language")
    opened.wait("off", lambda: opened.lua("return require('infill').statusline()") == "infill off")
    assert "off for ruby" in opened.wait("a word", lambda: told(opened)[2:])[-1]


def test_a_docstring_that_is_there_is_shown_first(opened: Neovim) -> None:
    """With an edit as the server makes it, so that no model has to be sure."""
    opened.lua("""
        _G.asked = nil
        vim.fn.confirm = function(text) _G.asked = text return answer end
        local client = vim.lsp.get_clients({ bufnr = 0 })[1]
        _G.real = _G.real or client.request
        client.request = function(self, method, params, handler, ...)
            if method == 'textDocument/codeAction' then
                local at = { start = { line = 0, character = 4 }, ['end'] = { line = 0, character = 8 } }
                handler(nil, { { title = 'Refresh', edit = {
                    changeAnnotations = { confirm = { label = 'Refresh', needsConfirmation = true } },
                    documentChanges = { {
                        textDocument = { uri = params.textDocument.uri, version = 0 },
                        edits = { { range = at, newText = 'surface', annotationId = 'confirm' } },
                    } },
                } } })
                return true
            end
            return real(self, method, params, handler, ...)
        end
    """)
    for answer, expected in ((2, SOURCE), (1, SOURCE.replace("area", "surface"))):
        opened.lua("_G.asked, _G.answer = nil, ...", answer)
        opened.nvim.command("Infill docstring")
        asked = opened.wait("question", lambda: opened.lua("return asked"))
        assert "-def area(width, height):" in asked
        assert "+def surface(width, height):" in asked
        assert opened.text == expected
    opened.lua("vim.lsp.get_clients({ bufnr = 0 })[1].request = _G.real")


def test_ghost_text_has_a_colour_without_true_colour(opened: Neovim) -> None:
    colour = "return vim.api.nvim_get_hl(0, { name = 'InfillGhost', link = false }).ctermfg"
    assert opened.lua(colour) == 244
    assert opened.lua("return vim.api.nvim_get_hl(0, { name = 'InfillDraft', link = false }).ctermfg")
    opened.nvim.command("colorscheme default")
    assert opened.lua(colour) == 244
    opened.nvim.command("hi NonText ctermfg=12")
    opened.nvim.command("hi clear ComplHint | hi link ComplHint NonText")
    opened.lua("require('infill.colors').define()")
    opened.nvim.command("colorscheme default")


def test_the_log_has_levels(opened: Neovim) -> None:
    opened.lua("vim.lsp.log.set_level('INFO')")
    path = Path(opened.lua("return vim.lsp.log.get_filename()"))
    opened.nvim.command("10Infill rewrite shorter")  # which comes to nothing
    opened.wait("a line", lambda: path.exists() and "lsp_server" in path.read_text(), 30)
    ours = [line for line in path.read_text().splitlines() if "lsp_server" in line]
    assert [line for line in ours if line.startswith("[INFO]")]
    assert not [line for line in ours if "stderr" in line], ours
    opened.lua("vim.lsp.log.set_level('WARN')")


def test_log(opened: Neovim) -> None:
    opened.nvim.command("Infill log")
    assert opened.nvim.current.buffer.name == opened.lua("return vim.lsp.log.get_filename()")


def test_wrong_use(opened: Neovim) -> None:
    for command, says in (
        ("Infill nonsense", "there is no :Infill nonsense"),
        ("Infill status now", ":Infill status takes nothing more"),
        ("Infill toggle nonsense", "there is no :Infill toggle nonsense"),
        ("Infill snooze soon", ":Infill snooze takes a number of minutes"),
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
    assert " ".join(names) == (
        "docstring fill fillall fix log proofread restart rewrite snooze status toggle"
    )
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
    opened.wait("the latency", lambda: re.search(r"infill \d+ ms", "\n".join(opened.screen())))
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


# As the plugin's README says. The question whether to install is left out: nobody is there to answer it.
VIM_PACK = """
vim.pack.add({ 'file://' .. vim.env.HOME .. '/repository' }, {
  confirm = false,
  load = function(plugin) vim.opt.rtp:append(plugin.path .. '/editor-clients/neovim') end,
})
vim.g.infill = { keys = { accept = '<C-y>' } }
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
        Layout("vim.pack, from the repository", "repository/editor-clients/neovim", init=VIM_PACK),
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
    if layout.init == VIM_PACK:
        if flavour == OLD:
            pytest.skip("Neovim 0.11 has no vim.pack")
        git = ("git", "-C", str(tmp_path / "repository"), "-c", "user.name=a", "-c", "user.email=a@b.c")
        for words in ("init --quiet", "add .", "commit --quiet --message=x"):
            subprocess.run([*git, *words.split()], check=True)
    config = tmp_path / "config" / "nvim"
    config.mkdir(parents=True)
    (config / "init.lua").write_text("vim.o.swapfile = false\n" + layout.init)
    (tmp_path / "shapes.py").write_text(SOURCE)
    argument = [str(tmp_path / "shapes.py")]
    path = neovim.needed(flavour.version)
    with neovim.running(path, server_command, tmp_path, {}, init=None, arguments=argument) as editor:
        editor.wait("the file", lambda: editor.text == SOURCE)  # vim.pack answers while it still installs
        if layout.late:
            editor.nvim.command(layout.late)
        ready = "local c = vim.lsp.get_clients({ bufnr = 0 })[1] return c and c.initialized and c.name"
        assert editor.wait("client", lambda: editor.lua(ready), 30) == "infill_ls"
        assert editor.lua("return vim.fn.maparg('<C-y>', 'i', false, true).desc") == "infill: accept"
        assert editor.lua("return vim.fn.exists(':Infill')") == 2
        editor.lua("vim.wait(500, function() end)")  # for the server's settings
        said = [line for line in editor.messages().splitlines() if str(argument[0]) not in line]
        assert [line for line in said if "infill" in line] == []
        editor.nvim.command("noautocmd help infill")  # without :helptags
        assert "infill-ls is a language server" in editor.text
