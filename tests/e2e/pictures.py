"""Pictures of the Neovim plugin in a terminal, to be looked at.

python -m tests.e2e.pictures FOLDER
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.conftest import ROOT
from tests.e2e.terminal import Terminal

from . import neovim

SETTINGS = "{ settings = { deadlineMs = 20000, confidenceThreshold = 0 } }"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for version in ((0, 12), (0, 11)):
        name = ".".join(map(str, version))
        with tempfile.TemporaryDirectory() as home:
            file = Path(home) / "inventory.py"
            text = (ROOT / "examples" / "inventory.py").read_text("utf-8")
            file.write_text(text.replace("        self.quantity = quantity\n", "        self.quantity\n", 1))
            environment = {
                f"XDG_{each}_HOME": f"{home}/{each}" for each in ("STATE", "DATA", "CONFIG", "CACHE")
            }
            environment |= {"HOME": home, "INFILL_LS_CMD": f"{sys.executable} -m lsp_server serve"}
            # A Neovim that is run by a loader cannot start its own server, so server and UI are started here.
            program, socket = neovim.needed(version), f"{home}/nvim.sock"
            argv = [program, "--clean", "--cmd", f"lua vim.g.infill = {SETTINGS}", "--headless"]
            argv += ["--cmd", "set termguicolors"]
            argv += ["--listen", socket, "-u", str(neovim.INIT), str(file)]
            core = subprocess.Popen(argv, env={**os.environ, **environment}, cwd=ROOT)
            while not Path(socket).exists():
                time.sleep(0.1)
            terminal = Terminal([program, "--server", socket, "--remote-ui"], environment, ROOT, (26, 100))
            try:
                terminal.wait_for("class Item", 20)
                time.sleep(3)
                terminal.send("17GA =")
                time.sleep(5)  # what is offered stands elsewhere on the screen, too
                terminal.picture(folder / f"{name}-ghost.png")
                terminal.send(" se")
                time.sleep(1)
                terminal.picture(folder / f"{name}-typed.png")
                terminal.send("\t")
                time.sleep(1)
                terminal.send("\x1b")
                time.sleep(0.5)
                terminal.send(":Infill status\r")
                time.sleep(2)
                terminal.picture(folder / f"{name}-status.png")
                terminal.send("\r")
                terminal.send(":checkhealth infill\r")
                terminal.wait_for("infill: server", 60)
                terminal.picture(folder / f"{name}-health.png")
            finally:
                terminal.close()
                core.kill()
                core.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
