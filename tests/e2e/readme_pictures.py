"""The pictures of the README and of docs/play.md: a real VS Code and the real page, with the embedded model.

python -m tests.e2e.readme_pictures docs      on a machine with nothing else to do; look at them afterwards

What is offered in them is what the model offers; nothing is arranged but what is typed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from tests.conftest import private_workers
from tests.e2e.conftest import EXAMPLE, ROOT
from tests.e2e.vscode.driver import Driver
from tests.e2e.vscode.workbench import Workbench, eventually

SIZE = (860, 460)  # of the moving picture, in pixels, without its caption
CAPTION = 30  # pixels
TITLE, HEADER = 36, 46  # pixels at the top of VS Code and of the page that the moving picture leaves out
KEY_MS, LOOK_MS, STEP_MS = 110, 1300, 260
COLOURS = 96
LIMIT = 1_000_000  # bytes

# What is typed of a body, line by line, and how much of each suggestion before Tab takes the rest.
BODY = (("        if name not in ", 5), ("\nraise", 0), ("\n\bself.items[name].r", 0))


class Film:
    """Frames with the time that each is shown."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.frames = folder, list[tuple[Image.Image, int]]()

    def take(self, driver: Driver, caption: str, ms: int, top: int = 0) -> None:
        """What the window shows from `top` pixels on, for `ms`."""
        path = self.folder / "frame.png"
        driver.do("screenshot", str(path))
        image = Image.new("RGB", (SIZE[0], SIZE[1] + CAPTION), "#24292f")
        with Image.open(path) as shot:
            image.paste(shot.convert("RGB").crop((0, top, SIZE[0], top + SIZE[1])))
        font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
        at = (12, SIZE[1] + CAPTION // 2)
        ImageDraw.Draw(image).text(at, caption, "#ffffff", ImageFont.truetype(font, 15), anchor="lm")
        self.frames.append((image, ms))

    def save(self, path: Path) -> None:
        """As a GIF whose frames share a palette."""
        stack = Image.new("RGB", (SIZE[0], (SIZE[1] + CAPTION) * len(self.frames)))
        for i, (image, _) in enumerate(self.frames):
            stack.paste(image, (0, i * image.height))
        palette = stack.quantize(COLOURS, dither=Image.Dither.NONE)
        first, *others = (each.quantize(palette=palette, dither=Image.Dither.NONE) for each, _ in self.frames)
        durations = [ms for _, ms in self.frames]
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, optimize=True)
        assert path.stat().st_size <= LIMIT, f"{path} has {path.stat().st_size} bytes"


def in_vscode(film: Film, work: Path, docs: Path) -> None:
    """Types a body, through its suggestions."""
    server = work / "infill-ls"
    server.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m lsp_server "$@"\n')
    server.chmod(0o755)
    settings = {
        "editor.minimap.enabled": False,
        "editor.stickyScroll.enabled": False,
        "infill.deadlineMs": 20_000,  # taking pictures slows everything down
    }
    bench = Workbench(work / "workbench", settings, {"infill.serverPath": str(server)})
    try:
        head, _, _ = EXAMPLE.read_text("utf-8").rpartition("        if name not in")
        path = bench.write(EXAMPLE.name, head)
        bench.open_window(path)
        bench.do("press", "Control+b")
        bench.wait_until_ready()
        bench.go_to(head.count("\n"), 0)
        bench.do("type", BODY[0][0])
        bench.wait_for_offer()  # the model is loaded
        bench.do("press", "Escape", "Shift+Home", "Shift+Home", "Delete")
        caption = "VS Code: typing through suggestions, Tab takes the rest"
        for typed, through in BODY:
            for key in typed:
                bench.do("press", {"\n": "Enter", "\b": "Backspace", " ": "Space"}.get(key, key))
                if key.strip():
                    film.take(bench, caption, KEY_MS, TITLE)
            ghost = bench.wait_for_offer()
            time.sleep(1)
            film.take(bench, caption, LOOK_MS, TITLE)
            if "raise" in typed:
                bench.do("screenshot", str(docs / "vscode.png"))
            for key in ghost[:through]:
                bench.do("press", key)
                film.take(bench, caption, KEY_MS, TITLE)
            bench.do("press", "Tab")
            time.sleep(0.3)
            film.take(bench, caption, LOOK_MS // 2, TITLE)
        film.take(bench, caption, LOOK_MS, TITLE)
    finally:
        bench.close()


def on_the_page(film: Film, work: Path, docs: Path) -> None:
    """Shows the canvas of a fill step by step, up to what is offered."""
    command = [sys.executable, "-m", "lsp_server", "play", "--no-browser"]
    driver = Driver(work)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as play:
        assert play.stdout
        address = play.stdout.readline().strip()
        try:
            driver.do("open", address, {"viewport": {"width": SIZE[0], "height": SIZE[1] + HEADER}})
            last = asked_again(driver, steps=16)
            for step in range(last + 1):
                slide(driver, "frame", step)
                ms = 2 * LOOK_MS if step == last else LOOK_MS if step in (0, last - 1) else STEP_MS
                caption = "infill-ls play: noise is denoised, then the best candidate wins"
                film.take(driver, caption, ms, HEADER)
            driver.do("open", address, {"viewport": {"width": 1100, "height": 700}})
            asked_again(driver, steps=8)
            slide(driver, "frame", 2)
            driver.do("screenshot", str(docs / "play.png"))
        finally:
            driver.close()
            play.kill()


def asked_again(driver: Driver, steps: int) -> int:
    """Asks once more, as the model was still loaded when the page asked, and waits until the fill has been
    shown. The number of its last picture."""
    shown = "document.getElementById('told')?.textContent === 'What is offered'"
    answered = "document.getElementById('outcome')?.textContent.includes('ffered: ')"
    eventually("answer", lambda: driver.do("evaluate", answered), 120)
    slide(driver, "steps", steps)
    driver.do(
        "evaluate", "for (const id of ['told', 'outcome']) document.getElementById(id).textContent = ''"
    )
    driver.do("click", "#suggest")
    eventually("answer", lambda: driver.do("evaluate", answered), 120)
    eventually("fill", lambda: driver.do("evaluate", shown))
    return int(driver.do("evaluate", "document.getElementById('frame').max"))


def slide(driver: Driver, name: str, value: int) -> None:
    found = f"document.getElementById({json.dumps(name)})"
    driver.do("evaluate", f"{found}.value = {value}, {found}.dispatchEvent(new Event('input'))")


def main(docs: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, private_workers():
        film, work = Film(Path(folder)), Path(folder)
        in_vscode(film, work, docs)
        (work / "page").mkdir()
        on_the_page(film, work / "page", docs)
        film.save(docs / "infill.gif")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
