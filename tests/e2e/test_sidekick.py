"""sidekick.nvim as it is, in a real Neovim, with our server in place of GitHub's: next edits are shown where
they are due, jumped to and applied."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import neovim
from tests.e2e.documented import blocks
from tests.e2e.neovim import Neovim

pytestmark = [pytest.mark.editor, pytest.mark.timeout(120)]

START = "vim.opt.runtimepath:prepend(vim.env.SIDEKICK)\n"
COMMAND = "{ 'infill-ls', 'serve' }"  # here one with a fake worker: rules need none
TEXT = "def f(old):\n    g(old)\n    # old\n    return old\n"
SHOWN = """
return vim.tbl_map(function(edit)
  return { edit.range.start.line, edit.range.start.character, edit.text }
end, require('sidekick.nes').get(vim.api.nvim_get_current_buf()))
"""


def needed() -> Path:
    """The plugin's folder. Skips the test where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("INFILL_LS_SIDEKICK") or cache / "infill-ls" / "sidekick.nvim")
    if not (folder / "lua" / "sidekick" / "nes" / "init.lua").is_file():
        pytest.skip(
            f"no sidekick.nvim: put folke/sidekick.nvim into {folder}, or name it in INFILL_LS_SIDEKICK"
        )
    return folder


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Neovim]:
    folder = needed()
    monkeypatch.setenv("SIDEKICK", str(folder))
    server = [sys.executable, "-m", "tests.support.faked_server"]
    monkeypatch.setenv("SERVER", json.dumps(server))
    (documented,) = blocks("sidekick.nvim", "lua")
    assert COMMAND in documented
    written = START + documented.replace(COMMAND, "vim.json.decode(vim.env.SERVER)")
    (init := tmp_path / "init.lua").write_text(written)
    (file := tmp_path / "a.py").write_text(TEXT)
    arguments = ["--clean", "-u", str(init)]
    with neovim.running(
        neovim.needed((0, 12)), server, tmp_path, {}, init=None, arguments=arguments
    ) as editor:
        editor.open(file)
        yield editor


def shown(editor: Neovim) -> list[list[object]]:
    return [list(each) for each in editor.lua(SHOWN)]


def test_a_rename_is_followed(editor: Neovim) -> None:
    editor.nvim.current.window.cursor = (1, 6)
    editor.keys("cwnew<Esc>")
    assert editor.wait("next edit", lambda: shown(editor)) == [[1, 6, "new"], [3, 11, "new"]]
    editor.keys("gg")
    editor.keys("<Tab>")
    editor.wait("jump", lambda: editor.cursor == (1, 6))
    editor.keys("<Tab>")
    applied = TEXT.replace("(old)", "(new)").replace("return old", "return new")
    editor.wait("applied edit", lambda: editor.text == applied)
    counts = "return vim.lsp.get_clients({ bufnr = 0 })[1]:request_sync('workspace/executeCommand', "
    counts += "{ command = 'infill.status' }, 20000, 0).result.nextEdits"
    editor.wait("count", lambda: editor.lua(counts)["rules"]["accepted"] == 1)
    assert shown(editor) == []


def test_what_is_undone_is_not_suggested_again(editor: Neovim) -> None:
    editor.nvim.current.window.cursor = (1, 6)
    editor.keys("cwnew<Esc>")
    editor.wait("next edit", lambda: shown(editor))
    editor.keys("u")
    editor.wait("undo", lambda: editor.text == TEXT)
    editor.wait("silence", lambda: shown(editor) == [])
