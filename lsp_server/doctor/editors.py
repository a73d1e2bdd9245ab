"""Which editors are installed, and whether their configuration mentions infill-ls. Runs them only for
their version."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lsp_server.doctor.finding import Finding, ok, warning

VERSION_S = 5.0  # for an editor to print its version
MAX_FILES = 200  # of an editor's configuration that are read
MAX_BYTES = 200_000  # of each that are read


@dataclass(frozen=True, slots=True)
class Editor:
    name: str
    command: str
    oldest: tuple[int, ...]  # version that works as docs/editors.md says; () if unknown
    configured: tuple[str, ...]  # globs, below the home folder, of the files that may name infill-ls


EDITORS = (
    Editor(
        "Neovim",
        "nvim",
        (0, 11),
        (
            ".config/nvim/**/*.lua",
            ".config/nvim/**/*.vim",
            ".local/share/nvim/site/pack/*/*/*/lsp/infill_ls.lua",
        ),
    ),
    Editor(
        "VS Code",
        "code",
        (1, 86),
        (
            ".config/Code/User/settings.json",
            "Library/Application Support/Code/User/settings.json",
            ".vscode/extensions/*infill*/package.json",
        ),
    ),
    Editor("Emacs", "emacs", (29,), (".emacs", ".emacs.d/*.el", ".config/emacs/*.el", ".doom.d/*.el")),
    Editor("Helix", "hx", (), (".config/helix/languages.toml",)),
    Editor("Vim", "vim", (9,), (".vimrc", ".vim/vimrc", ".vim/coc-settings.json", ".vim/plugin/*.vim")),
)


def check(home: Path, which: Callable[[str], str | None] = shutil.which) -> list[Finding]:
    """One finding for each editor on the PATH. `which` looks a command up there."""
    findings = []
    for editor in EDITORS:
        if path := which(editor.command):
            findings.append(finding(editor, version(path), mentions(home, editor.configured)))
    if not findings:
        names = ", ".join(editor.command for editor in EDITORS)
        findings.append(
            warning(
                "editor",
                f"none of {names} on the PATH",
                "any client of the protocol will do, see docs/editors.md",
            )
        )
    if not which("infill-ls"):
        remedy = "add the folder of infill-ls to PATH, or give your editor the full path"
        findings.append(warning("editor", "infill-ls is not on the PATH that editors see", remedy))
    return findings


def finding(editor: Editor, version: tuple[int, ...], configured: Path | None) -> Finding:
    """`configured`: the file that mentions infill-ls, if any does."""
    said = f"{editor.name} {'.'.join(map(str, version)) or 'of unknown version'}"
    if version and version < editor.oldest:
        oldest = ".".join(map(str, editor.oldest))
        return warning("editor", said, f"infill-ls needs {editor.name} {oldest} or later")
    if configured is None:
        return warning(
            "editor", f"{said}, no mention of infill-ls in its configuration", "see docs/editors.md"
        )
    return ok("editor", f"{said}, set up in {configured}")


def version(path: str) -> tuple[int, ...]:
    """The first dotted number that `--version` prints; empty if it prints none in time."""
    try:
        run = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ()
    found = re.search(r"\d+(?:\.\d+)+", run.stdout)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def mentions(home: Path, globs: tuple[str, ...], word: bytes = b"infill") -> Path | None:
    """The first file with the word in its first MAX_BYTES. Gives up after MAX_FILES."""
    looked = 0
    for pattern in globs:
        for path in home.glob(pattern):
            looked += 1
            if looked > MAX_FILES:
                return None
            try:
                with path.open("rb") as file:
                    if word in file.read(MAX_BYTES):
                        return path
            except OSError:
                continue
    return None
