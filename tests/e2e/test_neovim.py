"""A real Neovim with the documented configuration: type, see the ghost text, accept it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pynvim
import pytest

from .conftest import ROOT, Place

pytestmark = [pytest.mark.editor, pytest.mark.timeout(240)]

INIT = ROOT / "editor-clients" / "neovim" / "init.lua"
NEEDED = (0, 12)

# Inline completion has one extmark: the ghost text's first line in or over the line, the rest below.
GHOST = """
local namespace = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
local marks = vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
if #marks == 0 then return nil end
local function text(chunks)
  return vim.iter(chunks):map(function(chunk) return chunk[1] end):join('')
end
local lines = { text(marks[1][4].virt_text) }
for _, line in ipairs(marks[1][4].virt_lines or {}) do
  lines[#lines + 1] = text(line)
end
return { row = marks[1][2], column = marks[1][3], text = table.concat(lines, '\\n') }
"""
# Requests that the server has answered, by method and, for a command, its name.
ANSWERED = """
vim.g.answered = {}
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  if request.type == 'complete' then
    vim.g.answered = vim.list_extend(vim.g.answered, { request.method })
  end
end })
local client = vim.lsp.get_clients({ bufnr = 0 })[1]
local exec_cmd = client.exec_cmd
vim.g.commands = {}
function client:exec_cmd(command, ...)
  vim.g.commands = vim.list_extend(vim.g.commands, { command.command })
  return exec_cmd(self, command, ...)
end
"""


def find_neovim() -> str | None:
    """$INFILL_LS_NVIM, else the one on PATH, else the one that .ci/run has fetched; if new enough."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infill-ls" / "nvim"
    named = os.environ.get("INFILL_LS_NVIM")
    for candidate in [named] if named else [shutil.which("nvim"), str(cache / "bin" / "nvim")]:
        if candidate and os.access(candidate, os.X_OK):
            run = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=20)
            version = re.match(r"NVIM v(\d+)\.(\d+)", run.stdout)
            if version and (int(version[1]), int(version[2])) >= NEEDED:
                return candidate
    return None


class Neovim:
    def __init__(self, nvim: pynvim.Nvim) -> None:
        self.nvim = nvim

    def lua(self, code: str, *arguments: object) -> Any:
        return self.nvim.exec_lua(code, *arguments)

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = 15) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if result := condition():
                return result
            time.sleep(0.02)
        messages = self.nvim.command_output("messages")
        log = Path(self.lua("return vim.lsp.log.get_filename()"))
        pytest.fail(f"no {what} after {seconds} s\n{messages}\n{log.read_text() if log.exists() else ''}")

    def ghost(self) -> dict[str, Any] | None:
        return self.lua(GHOST)

    def screen(self) -> list[str]:
        self.nvim.command("redraw")
        rows, columns = self.nvim.options["lines"], self.nvim.options["columns"]
        code = "return vim.fn.screenstring(...)"
        return [
            "".join(self.lua(code, row, column) for column in range(1, columns + 1)).rstrip()
            for row in range(1, rows + 1)
        ]

    @property
    def text(self) -> str:
        return "\n".join(self.nvim.current.buffer[:]) + "\n"

    def type_at(self, line: int, column: int, keys: str) -> None:
        """Puts the cursor behind `column` characters of the 0-based `line` and types."""
        self.nvim.current.window.cursor = (line + 1, max(0, column - 1))
        self.nvim.input(("a" if column else "i") + keys.replace("<", "<lt>"))


@pytest.fixture(scope="session")
def neovim_path() -> str:
    found = find_neovim()
    if found is None:
        reason = "no Neovim >= 0.12: set INFILL_LS_NVIM, or run .ci/get_nvim.sh ~/.cache/infill-ls/nvim"
        if os.environ.get("INFILL_LS_REQUIRE_EDITOR") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def neovim(
    neovim_path: str, server_command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Neovim]:
    monkeypatch.chdir(ROOT)  # so that `python -m lsp_server` finds the checkout
    monkeypatch.setenv("INFILL_LS_CMD", " ".join(server_command))
    for name in ("STATE", "DATA", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    argv = [neovim_path, "--embed", "--headless", "--clean", "-u", str(INIT)]
    with pynvim.attach("child", argv=argv) as nvim:
        try:
            yield Neovim(nvim)
        finally:
            nvim.command("qa!", async_=True)


@pytest.fixture
def typed(place: Place) -> str:
    """What is typed in the tests: the last characters before the place."""
    before = place.text.splitlines()[place.line][: place.column]
    return before[-4:]


@pytest.fixture
def opened(neovim: Neovim, place: Place, typed: str, settings: dict[str, object], tmp_path: Path) -> Neovim:
    """Neovim with a copy of the example that lacks what is about to be typed."""
    copy = tmp_path / "inventory.py"
    copy.write_text(place.text[: place.offset - len(typed)] + place.text[place.offset :], "utf-8")
    neovim.lua("vim.lsp.config('infill', { init_options = ... })", settings)
    neovim.nvim.command(f"edit {copy}")
    neovim.wait(
        "initialized server",
        lambda: neovim.lua("local c = vim.lsp.get_clients({ bufnr = 0 })[1] return c and c.initialized"),
    )
    neovim.lua(ANSWERED)
    return neovim


def wait_for_ghost(editor: Neovim, seconds: float = 90) -> dict[str, Any]:
    """The worker may still load the model: ask again, by leaving insert mode and coming back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pause = time.monotonic() + 5
        while time.monotonic() < pause:
            if ghost := editor.ghost():
                return ghost
            time.sleep(0.02)
        editor.nvim.input("<Esc>a")
    return editor.wait("ghost text", editor.ghost, 1)


def test_type_see_accept(opened: Neovim, place: Place, typed: str) -> None:
    opened.type_at(place.line, place.column - len(typed), typed)
    ghost = wait_for_ghost(opened)
    assert opened.text == place.text  # ghost text is not in the buffer
    assert (ghost["row"], ghost["column"]) == (place.line, place.column)
    assert ghost["text"].strip()

    before = place.text.splitlines()[place.line][: place.column]
    shown = opened.screen()
    for line in (before + ghost["text"]).split("\n"):
        assert any(row.startswith(line.rstrip()) for row in shown), (line, shown)

    opened.nvim.input("<Tab>")
    expected = place.text[: place.offset] + ghost["text"] + place.text[place.offset :]
    opened.wait("accepted text", lambda: opened.text == expected)
    assert opened.ghost() is None
    opened.wait(
        "acceptance at the server", lambda: "workspace/executeCommand" in opened.lua("return vim.g.answered")
    )
    assert opened.lua("return vim.g.commands") == ["infill.accepted"]


def test_tab_without_ghost_text_is_a_tab(opened: Neovim) -> None:
    opened.nvim.input("ggO<Tab>x<Esc>")
    opened.wait("typed line", lambda: opened.nvim.current.buffer[0].strip() == "x")
    assert opened.nvim.current.buffer[0] != "x"


def test_a_killed_worker_costs_one_suggestion(
    opened: Neovim, place: Place, typed: str, only_worker: Callable[[], psutil.Process]
) -> None:
    opened.type_at(place.line, place.column - len(typed), typed)
    wait_for_ghost(opened)
    opened.nvim.input("<Esc>")
    worker = only_worker()
    worker.suspend()
    opened.nvim.input("a")
    time.sleep(0.6)  # Neovim asks 200 ms after the last key
    worker.kill()
    opened.wait(
        "answer without the worker",
        lambda: opened.lua("return next(vim.lsp.get_clients({ bufnr = 0 })[1].requests) == nil"),
    )
    assert opened.text == place.text
    assert not opened.lua("return vim.lsp.get_clients({ bufnr = 0 })[1]:is_stopped()")
    assert wait_for_ghost(opened)["text"].strip()
    assert "rror" not in opened.nvim.command_output("messages")


def served(editor: Neovim) -> int:
    """Fills that the worker has answered."""
    return editor.lua("""
        local client = vim.lsp.get_clients({ bufnr = 0 })[1]
        local request = { command = 'infill.status' }
        return client:request_sync('workspace/executeCommand', request, 20000, 0).result.served
    """)


def test_typing_what_the_ghost_text_says(opened: Neovim, place: Place, typed: str) -> None:
    opened.type_at(place.line, place.column - len(typed), typed)
    ghost = wait_for_ghost(opened)
    before = served(opened)
    opened.nvim.input(ghost["text"][0].replace("<", "<lt>"))

    def rest() -> bool:
        now = opened.ghost()
        return bool(now and now["text"] == ghost["text"][1:] and now["column"] == ghost["column"] + 1)

    opened.wait("the rest as ghost text", rest)
    assert served(opened) == before  # out of the server's memory


def test_a_code_action_fills_a_body(opened: Neovim) -> None:
    opened.lua("vim.g.infill_told = {}; vim.notify = function(text) vim.g.infill_told = { text } end")
    lines = opened.nvim.current.buffer[:]
    new = ["", "", "def twice(value):", "    pass"]
    opened.nvim.current.buffer.append(new)
    opened.nvim.current.window.cursor = (len(lines) + 4, 4)
    wanted = [*lines, *new]
    opened.lua("""
        vim.lsp.buf.code_action({
          context = { only = { 'refactor.rewrite.infill.fill' }, diagnostics = {} },
          apply = true,
        })
    """)
    opened.wait(
        "filled body or a reason why not",
        lambda: opened.nvim.current.buffer[:] != wanted or opened.lua("return vim.g.infill_told[1]"),
        90,
    )
    now = opened.nvim.current.buffer[:]
    assert now[: len(lines) + 3] == wanted[:-1], "nothing outside the body has changed"
    assert now != wanted, opened.lua("return vim.g.infill_told")
    assert "pass" not in now[len(lines) + 3 :]
