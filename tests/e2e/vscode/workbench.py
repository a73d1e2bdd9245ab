"""A real VS Code workbench as Python sees it: keys in, what is drawn and what is saved out.

`driver` holds the browser; nothing here knows of the server under test.
"""

from __future__ import annotations

import json
import shutil
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

from tests.e2e.vscode.driver import Driver, Unavailable
from tests.support.paths import ROOT

from . import driver

CLIENT = ROOT / "editor-clients" / "vscode"
VSIX = CLIENT / "infill-ls.vsix"

GHOST = """[...document.querySelectorAll('.ghost-text-decoration, .ghost-text')]
  .map((each) => each.textContent.replace(/\\u00a0/g, ' ')).join('')"""
STATUS = "document.querySelector('[id=\"infill-ls.infill-ls.infill.status\"]')"
NOTICES = "[...document.querySelectorAll('.notification-list-item-message')].map((each) => each.textContent)"
LINES = """[...document.querySelectorAll('.monaco-editor .view-line')]
  .map((each) => each.textContent.replace(/\\u00a0/g, ' ')).join('\\n')"""

INPUT = "document.querySelector('.quick-input-widget input:focus')"
FOCUSED = "document.querySelector('.quick-input-list .focused')"


class Workbench(Driver):
    def __init__(
        self, work: Path, settings: dict[str, Any], machine: dict[str, Any], trust: bool = False
    ) -> None:
        """`machine` holds settings that only the machine's user can make, `settings` the others."""
        prefix = find()
        self.work, self.folder = work, work / "project"
        for name in ("project/.vscode", "data/User", "data/Machine", "extensions"):
            (work / name).mkdir(parents=True)
        (work / "config.yaml").write_text("")
        _unpack(work / "extensions")
        self.settings: dict[str, Any] = {
            "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
            "editor.cursorBlinking": "solid",
            "workbench.startupEditor": "none",
            "workbench.tips.enabled": False,
            "workbench.secondarySideBar.defaultVisibility": "hidden",
            "chat.disableAIFeatures": True,
            "telemetry.telemetryLevel": "off",
            "extensions.autoUpdate": False,
            "extensions.autoCheckUpdates": False,
            "files.hotExit": "off",
            "files.autoSave": "off",
            **settings,
        }
        self.machine = machine
        self._write_settings()
        super().__init__(
            work, codeServer=str(prefix / "cs/node_modules/code-server/out/node/entry.js"), port=_free_port()
        )

    # What a user does

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode())
        return path

    def open_window(self, file: Path | None = None) -> None:
        self.do("window", str(self.folder), str(file) if file else None)
        if file:
            self.do("wait", "document.querySelector('.monaco-editor .view-line') !== null", 60_000)
            self.do("click", ".monaco-editor .view-lines")

    def open(self, name: str, text: str) -> Path:
        """A file of that text in the editor, as the only one."""
        self.do("press", "Escape", "Control+s")
        self.do("wait", "document.querySelector('.tab.dirty') === null")
        self.do("press", "Control+k", "Control+w")
        path = self.write(name, text)
        label = f".quick-input-list .monaco-list-row[aria-label*={json.dumps(name)}]"
        self._pick("Control+p", "", str(path), f"document.querySelector({json.dumps(label)}) !== null")
        tab = f".tab.active[data-resource-name={json.dumps(name)}]"
        self.do("wait", f"document.querySelector({json.dumps(tab)}) !== null")
        self.do("wait", "document.querySelector('.monaco-editor .view-line') !== null")
        self.do("click", ".monaco-editor .view-lines")
        return path

    def go_to(self, line: int, column: int) -> None:
        """Put the cursor at a 0-based place."""
        self.do("press", "Control+g")
        self.do("type", f"{line + 1}:{column + 1}")
        self.do("press", "Enter")
        self.do("wait", f"document.body.textContent.includes('Ln {line + 1}, Col {column + 1}')")

    def command(self, title: str) -> None:
        """Run a command of the palette."""
        self._pick("F1", ">", title, f"{FOCUSED}?.ariaLabel.includes({json.dumps(title)})")

    def expect(self, path: Path, text: str) -> None:
        """The buffer is exactly that, as the editor saves it."""
        end = time.monotonic() + 10
        while True:
            self.do("press", "Control+s")
            self.do("wait", "document.querySelector('.tab.active.dirty') === null")
            if (found := path.read_bytes().decode()) == text or time.monotonic() > end:
                assert found == text
                return

    @property
    def dirty(self) -> bool:
        return self.do("evaluate", "document.querySelector('.tab.active.dirty') !== null")

    def set(self, settings: dict[str, Any] | None = None, machine: dict[str, Any] | None = None) -> None:
        """Change settings; VS Code notices."""
        self.settings |= settings or {}
        self.machine |= machine or {}
        self._write_settings()

    def dismiss(self) -> None:
        """Close what has popped up."""
        self.command("Notifications: Clear All Notifications")

    # What a user sees

    @property
    def ghost(self) -> str:
        return self.do("evaluate", GHOST)

    @property
    def status(self) -> str:
        return self.do("evaluate", f"{STATUS}?.textContent.trim() ?? ''")

    @property
    def notices(self) -> list[str]:
        return self.do("evaluate", NOTICES)

    def wait_for_ghost(self, seconds: float = 60) -> str:
        return self.do("wait", GHOST, seconds * 1000)

    def wait_for_offer(self, seconds: float = 90) -> str:
        """What is offered at the cursor. On a busy machine a request may end at its deadline, and VS Code
        does not ask twice for the same text, so that a space is typed and deleted before the next try."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.wait_for_ghost(10)
            except AssertionError:
                if time.monotonic() > end:
                    raise
                self.do("press", "Escape", "Space", "Backspace", "Alt+\\")

    def wait_for_notice(self, words: str, seconds: float = 20) -> None:
        self.do("wait", f"{NOTICES}.some((each) => each.includes({json.dumps(words)}))", seconds * 1000)

    def wait_for_status(self, pattern: str, seconds: float = 20) -> str:
        return self.do("wait", f"{STATUS}?.textContent.match(/{pattern}/)?.[0]", seconds * 1000)

    def wait_until_ready(self) -> None:
        """The server runs, and its worker has loaded the model."""
        self.do("wait", f"!!{STATUS}?.querySelector('.codicon-sparkle')", 60_000)

    def wait_for_line(self, words: str, seconds: float = 20) -> None:
        self.do("wait", f"({LINES}).includes({json.dumps(words)})", seconds * 1000)

    def _pick(self, key: str, empty: str, text: str, found: str) -> None:
        """Take what is `found` in the list that `key` opens, its input being `empty`. What is drawn late may
        take the focus from a list, which closes it: so it is opened again."""
        for attempt in range(3):
            try:
                self.do("press", key)
                self.do("wait", f"{INPUT}?.value === {json.dumps(empty)}", 10_000)
                self.do("insert", text)
                self.do("wait", f"{INPUT} && {found}", 10_000)
                break
            except AssertionError:
                if attempt == 2:
                    raise
                self.do("press", "Escape")
        self.do("press", "Enter")

    def _write_settings(self) -> None:
        for name, settings in (("User", self.settings), ("Machine", self.machine)):
            (self.work / "data" / name / "settings.json").write_text(json.dumps(settings, indent=2))


def eventually(what: str, condition: Any, seconds: float = 15) -> Any:
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"no {what} after {seconds} s"
        time.sleep(0.05)
    return result


def find() -> Path:
    """code-server's folder. Raises Unavailable."""
    prefix, _ = driver.find()
    if not VSIX.exists():
        raise Unavailable(
            "no extension: run `npm ci --ignore-scripts && npm run package` in editor-clients/vscode"
        )
    sources = [CLIENT / "package.json", *(CLIENT / "src").iterdir()]
    if VSIX.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        raise Unavailable(
            f"{VSIX.name} is older than its sources: run `npm run package` in editor-clients/vscode"
        )
    return prefix


def _unpack(folder: Path) -> None:
    """The packaged extension, where VS Code looks for extensions."""
    with zipfile.ZipFile(VSIX) as packed:
        packed.extractall(folder / "packed")
    (folder / "packed" / "extension").rename(folder / "infill-ls.infill-ls-0.1.0")
    shutil.rmtree(folder / "packed")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
