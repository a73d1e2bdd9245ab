"""Editors, with programs and configurations that are really there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lsp_server.doctor import editors
from tests.lsp_server.doctor.findings import check
from tests.support.paths import ROOT


def test_editors(tmp_path: Path) -> None:
    home, programs = tmp_path / "home", tmp_path / "bin"
    programs.mkdir()

    def install(name: str, says: str) -> None:
        (programs / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (programs / name).chmod(0o755)

    def which(name: str) -> str | None:
        return shutil.which(name, path=str(programs))

    nothing, not_on_path = editors.check(home, which)
    check(nothing, "warning", "none of nvim")
    check(not_on_path, "warning", "infill-ls is not on the PATH")
    install("infill-ls", "")
    install("nvim", "NVIM v0.10.4\nBuild type: Release")
    check(editors.check(home, which)[0], "warning", "0.10.4", "0.11")
    install("nvim", "NVIM v0.12.4")
    check(editors.check(home, which)[0], "warning", "no mention")
    plugin = home / ".local" / "share" / "nvim" / "site" / "pack" / "infill" / "start" / "infill" / "lsp"
    plugin.mkdir(parents=True)
    shutil.copy(ROOT / "editor-clients" / "neovim" / "lsp" / "infill_ls.lua", plugin)
    check(editors.check(home, which)[0], "ok", "0.12.4", str(plugin / "infill_ls.lua"))
    config = home / ".config" / "nvim" / "init.lua"
    config.parent.mkdir(parents=True)
    config.write_text("vim.g.infill = { keys = { accept = '<Tab>' } }")
    install("hx", "no version")
    neovim, helix = editors.check(home, which)
    check(neovim, "ok", "0.12.4", str(config))
    check(helix, "warning", "unknown version")


def test_an_editor_that_does_not_say_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editors, "VERSION_S", 0.2)
    (tmp_path / "slow").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "slow").chmod(0o755)
    assert editors.version(str(tmp_path / "slow")) == ()
    assert editors.version(str(tmp_path / "gone")) == ()
