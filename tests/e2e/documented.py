"""The code blocks of docs/editors.md, so that the tests use exactly what users are told to write."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

PAGE = ROOT / "docs" / "editors.md"


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks of a language in the part below a heading of docs/editors.md."""
    parts = re.split(r"^#+ (.*)\n", PAGE.read_text("utf-8"), flags=re.M)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))
    found = re.findall(rf"^```{language}\n(.*?)^```", texts[heading], flags=re.M | re.S)
    assert found, f"docs/editors.md has no {language} under {heading!r}"
    return found


def server_on_path(folder: Path) -> dict[str, str]:
    """An environment in which `infill-ls` is the checkout's."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "infill-ls"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m lsp_server "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def editor(name: str, command: str) -> str:
    """$INFILL_LS_<NAME>, else the one that .ci/get_<name>.sh has put into the cache, else the one on PATH.
    Skips the test where there is none: no run needs these editors."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infill-ls"
    for candidate in (
        os.environ.get(f"INFILL_LS_{name.upper()}"),
        str(cache / name / "bin" / command),
        shutil.which(command),
    ):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    pytest.skip(f"no {name}: .ci/get_{name}.sh ~/.cache/infill-ls/{name} fetches one")
