"""A real Neovim with the plugin of `editor-clients/neovim`, driven over its RPC channel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvim
import pytest

from tests.e2e.conftest import ROOT

PLUGIN = ROOT / "editor-clients" / "neovim"
INIT = PLUGIN / "init.lua"

# Ghost text as drawn, by Neovim or by the plugin: one extmark, its first line in the line, the rest below.
DRAWN = """
local found = {}
for _, name in ipairs({ ... }) do
  local namespace = vim.api.nvim_get_namespaces()[name]
  for _, mark in ipairs(namespace and
      vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true }) or {}) do
    local function text(chunks)
      return vim.iter(chunks):map(function(chunk)
        return chunk[2]:find('More$') and '' or chunk[2]:find('InfillHint') and '' or chunk[1]
      end):join('')
    end
    local lines = { text(mark[4].virt_text) }
    for _, line in ipairs(mark[4].virt_lines or {}) do
      lines[#lines + 1] = text(line)
    end
    table.insert(found, { row = mark[2], column = mark[3], text = table.concat(lines, '\\n') })
  end
end
assert(#found < 2, vim.inspect(found))
return found[1]
"""
GHOSTS = ("nvim.lsp.inline_completion", "infill.ghost")

# From here on: requests the server has answered, by method, and the commands it was sent.
ANSWERED = """
vim.g.answered, vim.g.commands = {}, {}
vim.api.nvim_create_autocmd('LspRequest', {
  group = vim.api.nvim_create_augroup('test', {}),
  callback = function(event)
    local request = event.data.request
    if request.type == 'complete' then
      vim.g.answered = vim.list_extend(vim.g.answered, { request.method })
    end
  end,
})
local client = vim.lsp.get_clients({ bufnr = 0 })[1]
local exec_cmd = client.test_exec_cmd or client.exec_cmd
client.test_exec_cmd = exec_cmd
function client:exec_cmd(command, ...)
  vim.g.commands = vim.list_extend(vim.g.commands, { command.command })
  return exec_cmd(self, command, ...)
end
"""


@dataclass(frozen=True)
class Flavour:
    """Which Neovim, and whether it or the plugin draws ghost text."""

    version: tuple[int, int]
    ghost: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))}-{self.ghost}"


BUILTIN, OWN, OLD = Flavour((0, 12), "builtin"), Flavour((0, 12), "own"), Flavour((0, 11), "own")
FLAVOURS = (BUILTIN, OWN, OLD)


def find(version: tuple[int, int]) -> str | None:
    """0.12: $INFILL_LS_NVIM as it is, else the one on PATH or that .ci/run has fetched, if new enough.
    0.11: $INFILL_LS_NVIM_OLD as it is, else the one that .ci/run has fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infill-ls"
    old = version < (0, 12)
    if named := os.environ.get("INFILL_LS_NVIM_OLD" if old else "INFILL_LS_NVIM"):
        return named
    fetched = str(cache / ("nvim-old" if old else "nvim") / "bin" / "nvim")
    candidates = [fetched] if old else [shutil.which("nvim"), fetched]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            run = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=20)
            said = re.match(r"NVIM v(\d+)\.(\d+)", run.stdout)
            is_version = (int(said[1]), int(said[2])) if said else (0, 0)
            if is_version == version if old else is_version >= version:
                return candidate
    return None


def needed(version: tuple[int, int]) -> str:
    """The path of that Neovim. Skips the test where there is none, or fails it where editors are required."""
    if found := find(version):
        return found
    which, script = ("_OLD", "get_nvim_old.sh") if version < (0, 12) else ("", "get_nvim.sh")
    folder = "nvim-old" if which else "nvim"
    reason = (
        f"no Neovim {version[0]}.{version[1]}: set INFILL_LS_NVIM{which}, "
        f"or run .ci/{script} ~/.cache/infill-ls/{folder}"
    )
    if os.environ.get("INFILL_LS_REQUIRE_EDITOR") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


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
        log = Path(self.lua("return vim.lsp.log.get_filename()"))
        said = log.read_text() if log.exists() else ""
        pytest.fail(f"no {what} after {seconds} s\n{self.text}\n{self.ghost()}\n{self.messages()}\n{said}")

    def open(self, path: Path) -> None:
        """Open a file and wait for the server. From then on its answers are noted in `vim.g.answered`."""
        self.nvim.command(f"edit {path}")
        ready = "local c = vim.lsp.get_clients({ bufnr = 0 })[1] return c and c.initialized"
        self.wait("initialized server", lambda: self.lua(ready), 30)
        self.lua(ANSWERED)

    def ghost(self) -> dict[str, Any] | None:
        return self.lua(DRAWN, *GHOSTS)

    def draft(self) -> dict[str, Any] | None:
        return self.lua(DRAWN, "infill.draft")

    def messages(self) -> str:
        return self.nvim.command_output("messages")

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

    @property
    def cursor(self) -> tuple[int, int]:
        row, column = self.nvim.current.window.cursor
        return row - 1, column

    def keys(self, keys: str) -> None:
        """Press keys, by name; `type` takes text."""
        self.nvim.input(keys)

    def type(self, text: str) -> None:
        self.nvim.input(text.replace("<", "<lt>").replace("\n", "<CR>"))

    def type_at(self, line: int, column: int, text: str) -> None:
        """Puts the cursor behind `column` characters of the 0-based `line` and types."""
        self.nvim.current.window.cursor = (line + 1, max(0, column - 1))
        self.keys("a" if column else "i")
        self.type(text)

    def wait_for_ghost(self, seconds: float = 90) -> dict[str, Any]:
        """The worker may still load the model: ask again, by leaving insert mode and coming back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pause = time.monotonic() + 5
            while time.monotonic() < pause:
                if ghost := self.ghost():
                    return ghost
                time.sleep(0.02)
            self.keys("<Esc>a")
        return self.wait("ghost text", self.ghost, 5)

    def served(self) -> int:
        """Fills that the worker has answered."""
        return self.lua("""
            local client = vim.lsp.get_clients({ bufnr = 0 })[1]
            local request = { command = 'infill.status' }
            return client:request_sync('workspace/executeCommand', request, 20000, 0).result.served
        """)


@contextmanager
def running(
    path: str,
    command: list[str],
    home: Path,
    options: dict[str, object],
    init: Path | None = INIT,
    arguments: list[str] | None = None,
) -> Iterator[Neovim]:
    """A Neovim with a home of its own. `options` are the plugin's; without `init`, it is configured there."""
    environment = {
        f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "DATA", "CONFIG", "CACHE")
    }
    environment |= {"INFILL_LS_CMD": " ".join(command), "HOME": str(home)}
    argv = [path, "--embed", "--headless"]
    if init:
        chosen = "lua vim.g.infill = vim.json.decode(vim.env.INFILL_TEST_OPTIONS)"
        argv += ["--clean", "--cmd", chosen, "-u", str(init)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # so that `python -m lsp_server` finds the checkout
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("INFILL_TEST_OPTIONS", json.dumps(options))
        session = pynvim.attach("child", argv=argv + (arguments or []))
    with session as nvim:
        try:
            yield Neovim(nvim)
        finally:
            nvim.command("qa!", async_=True)
