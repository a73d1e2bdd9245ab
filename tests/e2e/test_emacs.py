"""The documented configuration in a real Emacs in a terminal: lsp-mode's ghost text, eglot's code actions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Place
from tests.e2e.terminal import Terminal

from . import documented

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(240)]

# What a user's Emacs has done by package.el, and what keeps questions away.
AROUND = """
(setq inhibit-startup-screen t make-backup-files nil create-lockfiles nil auto-save-default nil
      lsp-auto-guess-root t lsp-enable-suggest-server-download nil
      lsp-session-file (expand-file-name "lsp-session" "~"))
(when (locate-library "lsp-mode-autoloads") (load "lsp-mode-autoloads" nil t))
"""
PATIENT = "(:deadlineMs 20000 :confidenceThreshold 0.0)"  # for a slow machine and a weak model
BODY = "def area(width, height):\n    return width * height\n\n\ndef area_of(width, height):\n    pass\n"
FILLED = BODY.replace("pass", "return width * height")  # as the function above has it


@contextmanager
def emacs(home: Path, file: Path, init: str) -> Iterator[Terminal]:
    program = documented.editor("emacs", "emacs")
    (home / ".git").mkdir()
    (home / "init.el").write_text(AROUND + init)
    environment = {"HOME": str(home), **documented.server_on_path(home / "bin")}
    argv = [program, "-nw", "-Q", "-l", str(home / "init.el"), str(file)]
    terminal = Terminal(argv, environment, home)
    try:
        terminal.wait_for(file.name, 60)
        yield terminal
    finally:
        terminal.close()


def command(terminal: Terminal, name: str) -> None:
    terminal.send("\x1bx")
    terminal.wait_for("M-x")
    terminal.send(name + "\r")


def test_lsp_mode_shows_and_accepts(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "inventory.py"
    file.write_text(place.text[: place.offset - 1] + place.text[place.offset :], "utf-8")
    (init,) = documented.blocks("lsp-mode", "elisp")
    init = init.replace(":add-on? t", f":add-on? t :initialization-options '{PATIENT}")
    with emacs(tmp_path, file, init) as terminal:
        terminal.wait_for("LSP[infill-ls", 30)
        terminal.send(f"\x1bgg{place.line + 1}\r\x05")
        line = place.text.splitlines()[place.line][: place.column]

        def shown() -> str | None:
            """The line with the ghost text; there may be a margin before it."""
            rows = [row[row.index(line) :] for row in terminal.lines() if line in row]
            return rows[0] if rows and rows[0] != line else None

        last = place.text[place.offset - 1]
        terminal.send(last)
        for _ in range(6):  # while the model is being loaded, nothing is offered
            try:
                ghost = terminal.wait("ghost text", shown, 8)
                break
            except AssertionError:
                terminal.send("\x7f" + last)
        else:
            ghost = terminal.wait("ghost text", shown, 8)
        terminal.send("\t")
        terminal.send("\x18\x13")  # save
        expected = place.text.splitlines()
        expected[place.line] = ghost
        terminal.wait("saved file", lambda: file.read_text("utf-8").splitlines() == expected, 10)


def test_eglot_fills_a_body(tmp_path: Path) -> None:
    file = tmp_path / "shapes.py"
    file.write_text(BODY)
    (init,) = documented.blocks("eglot", "elisp")
    init += f"(setq eglot-workspace-configuration '(:infill {PATIENT}))\n"
    init += "(setq eglot-confirm-server-edits nil)\n"
    with emacs(tmp_path, file, init) as terminal:
        terminal.wait_for("[eglot:", 30)
        terminal.send("\x1bgg6\r\x05")
        command(terminal, "eglot-code-actions")
        terminal.wait_for("Pick an action", 20)
        terminal.send("Fill the one hole\r")
        terminal.wait("a filled body", lambda: not any(row.strip() == "pass" for row in terminal.lines()), 90)
        terminal.send("\x18\x13")
        terminal.wait("saved file", lambda: file.read_text() != BODY, 10)
        assert file.read_text() == FILLED
