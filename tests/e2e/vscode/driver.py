"""A browser in a process of its own, `driver.mjs`: finding it, and telling it what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("driver.mjs")


class Unavailable(Exception):
    """Why there is nothing to test in, and what to do about it."""


class Driver:
    def __init__(self, work: Path, **config: Any) -> None:
        """`config`: what `driver.mjs` needs to know beside where the browser is."""
        prefix, chromium = find()
        self.work = work
        config = {"playwright": str(prefix / "pw"), "chromium": chromium, "work": str(work)} | config
        (work / "driver.json").write_text(json.dumps(config))
        self._asked = 0
        self._process = subprocess.Popen(
            [str(prefix / "node24"), str(SCRIPT), str(work / "driver.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == {"ready": True}

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def do(self, name: str, *args: Any) -> Any:
        assert self._process.stdin
        self._asked += 1
        self._process.stdin.write(json.dumps({"id": self._asked, "do": name, "args": args}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        assert answer["id"] == self._asked
        if "error" in answer:
            what = f"{name} {args}: {answer['error'].splitlines()[0]}"
            raise AssertionError(what if name == "screenshot" else f"{what}; see {self.picture()}")
        return answer["result"]

    def picture(self) -> Path:
        """What is there now, for whoever looks into a failure."""
        path = self.work / f"failed-{self._asked}.png"
        self.do("screenshot", str(path))
        return path

    def screenshot(self, name: str) -> None:
        """A picture in the folder that INFILL_LS_SCREENSHOTS names; without one there is none, as each takes
        seconds where the cores are busy."""
        if folder := os.environ.get("INFILL_LS_SCREENSHOTS"):
            self.do("screenshot", str(Path(folder) / f"{name}.png"))

    def _read(self) -> Any:
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            log = self.work / "code-server.log"
            raise AssertionError(f"the driver has ended\n{log.read_text()[-2000:] if log.exists() else ''}")
        return json.loads(line)


def find() -> tuple[Path, str]:
    """The folder of code-server, Node and Playwright, and the browser. Raises Unavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infill-ls" / "code-server"
    prefix = Path(os.environ.get("INFILL_LS_CODE_SERVER") or cache)
    if not (prefix / "versions").exists():
        raise Unavailable(f"no VS Code: run .ci/get_code_server.sh {prefix}")
    browsers = [os.environ.get("INFILL_LS_CHROMIUM"), *map(shutil.which, ("chromium", "chromium-browser"))]
    if not (chromium := next(filter(None, browsers), None)):
        raise Unavailable("no browser: apt-get install chromium, or set INFILL_LS_CHROMIUM")
    return prefix, chromium
