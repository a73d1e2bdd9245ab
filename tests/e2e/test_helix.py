"""The documented configuration in a real Helix in a terminal: a code action fills a body."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

from . import documented

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(240)]

BODY = "def area(width, height):\n    return width * height\n\n\ndef area_of(width, height):\n    pass\n"
FILLED = BODY.replace("pass", "return width * height")  # as the function above has it


def test_an_action_fills_a_body(tmp_path: Path) -> None:
    program = documented.editor("helix", "hx")
    file = tmp_path / "shapes.py"
    file.write_text(BODY)
    config = tmp_path / "config" / "helix"
    config.mkdir(parents=True)
    (languages,) = documented.blocks("Helix", "toml")
    patient = "[language-server.infill-ls.config]\ndeadlineMs = 20000\nconfidenceThreshold = 0.0\n"
    (config / "languages.toml").write_text(languages + patient)
    environment = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        **documented.server_on_path(tmp_path / "bin"),
    }
    terminal = Terminal([program, str(file)], environment, tmp_path)
    try:
        terminal.wait_for("shapes.py", 20)
        terminal.send("6ggllll")
        for _ in range(20):  # until the server is there
            terminal.send(" a")
            try:
                terminal.wait_for("Fill", 2)
                break
            except AssertionError:
                terminal.send("\x1b")
                time.sleep(0.5)  # else it is one key with what follows
        terminal.wait_for("Fill", 5)
        terminal.send("\r")
        terminal.wait(
            "a filled body", lambda: not any(row.endswith("    pass") for row in terminal.lines()), 90
        )
        terminal.send(":w\r")
        terminal.wait("saved file", lambda: file.read_text() != BODY, 10)
        assert file.read_text() == FILLED
    finally:
        terminal.close()
