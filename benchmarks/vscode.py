"""What a user of VS Code waits for: from the last keystroke to the frame in which the ghost text is drawn.

    python -m benchmarks.vscode [--rounds N] [--json FILE]

A real VS Code in a real browser (see docs/contributing.md), the real server, the real worker with the
embedded model. Each round finishes one assignment somewhere else in a file, so that no answer is remembered.
The parts:

  editor   from the key to the request at the server: VS Code's own debounce (50 ms), browser, extension host
  server   from the request to its answer: the server and the worker
  drawing  from the answer to the frame

The server runs behind a relay, `python -m benchmarks.vscode relay FILE`, which notes when messages pass. The
browser's clock is the machine's. `idle` is the share of the processors that was free: on a busy machine the
figures say more about the machine than about infill-ls.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import psutil

from tests.e2e.vscode.workbench import Workbench

ROOT = Path(__file__).resolve().parent.parent
METHOD = b'"textDocument/inlineCompletion"'
# Notes the time of each key, and of the first frame with ghost text after it.
CLOCK = """
window.key = window.drawn = 0;
addEventListener('keydown', () => { window.key = Date.now(); window.drawn = 0; }, true);
(function frame() {
  const ghost = document.querySelector('.ghost-text-decoration, .ghost-text');
  if (ghost?.textContent && !window.drawn) window.drawn = Date.now();
  requestAnimationFrame(frame);
})();
"""


def relay(file: Path) -> None:
    """The server, with a line in `file` for each request that comes and each answer that goes."""
    server = subprocess.Popen(
        [sys.executable, "-m", "lsp_server", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    notes = file.open("a", buffering=1)
    ids: set[object] = set()

    def note(message: bytes, incoming: bool) -> None:
        now = time.time() * 1000
        if incoming and METHOD in message:
            ids.add(json.loads(message)["id"])
            notes.write(f"asked {now}\n")
        elif not incoming and b'"result"' in message and (id := json.loads(message).get("id")) in ids:
            ids.discard(id)
            notes.write(f"answered {now}\n")

    def pump(source: IO[bytes], target: IO[bytes], incoming: bool) -> None:
        while header := source.readline():
            while (line := source.readline()) not in (b"\r\n", b""):
                header += line
            length = int(header.lower().partition(b"content-length:")[2].split()[0])
            body = source.read(length)
            note(body, incoming)
            target.write(header + b"\r\n" + body)
            target.flush()
        target.close()

    assert server.stdin
    assert server.stdout
    threading.Thread(target=pump, args=(sys.stdin.buffer, server.stdin, True), daemon=True).start()
    pump(server.stdout, sys.stdout.buffer, False)


def source(rounds: int) -> tuple[str, list[int]]:
    """Classes whose last assignment is missing its end, and the lines of those."""
    lines, places = [], []
    for index in range(rounds):
        names = [f"{word}_{index}" for word in ("width", "height", "depth")]
        lines += [f"class Box{index}:", f"    def __init__(self, {', '.join(names)}):"]
        lines += [f"        self.{name} = {name}" for name in names[:-1]]
        places.append(len(lines))
        lines += [f"        self.{names[-1]} =", "", ""]
    return "\n".join(lines) + "\n", places


def measure(rounds: int, work: Path) -> list[dict[str, float]]:
    program, notes = work / "infill-ls", work / "notes"
    program.write_text(
        f"#!/bin/sh\nexec env PYTHONPATH={ROOT} {sys.executable} -m benchmarks.vscode relay {notes}\n"
    )
    program.chmod(0o755)
    text, places = source(rounds + 3)
    settings = {"infill.confidenceThreshold": 0, "infill.deadlineMs": 20_000}
    bench = Workbench(work / "workbench", settings, {"infill.serverPath": str(program)})
    found = []
    try:
        path = bench.write("boxes.py", text)
        bench.open_window(path)
        bench.wait_for_status("infill")
        time.sleep(5)
        bench.do("evaluate", CLOCK)
        for number, line in enumerate(places):
            bench.go_to(line, len(text.splitlines()[line]))
            time.sleep(0.5)  # what the move has set off is over
            psutil.cpu_percent()
            bench.do("type", " ")
            try:
                key, drawn = bench.do("wait", "window.drawn && [window.key, window.drawn]", 30_000)
            except AssertionError:
                continue  # the model had nothing to offer there
            busy = psutil.cpu_percent()
            passed = [(kind, float(at)) for kind, at in (x.split() for x in notes.read_text().splitlines())]
            asked = next(at for kind, at in passed if kind == "asked" and at >= key)
            answered = next(at for kind, at in passed if kind == "answered" and at >= asked)
            if number >= 3:  # the first ones load the model, and warm the caches
                parts = {"editor": asked - key, "server": answered - asked, "drawing": drawn - answered}
                found.append({"total": drawn - key, **parts, "idle": 100 - busy})
            bench.do("press", "Escape")
        return found
    finally:
        bench.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--rounds", type=int, default=25)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="infill-") as folder:
        os.environ["INFILL_LS_RUNTIME_DIR"] = f"{folder}/run"
        try:
            found = measure(chosen.rounds, Path(folder))
        finally:
            subprocess.run(
                [sys.executable, "-m", "lsp_server", "worker", "stop"], cwd=ROOT, capture_output=True
            )
    if not found:
        sys.exit("nothing was drawn")
    table = {}
    for name in found[0]:
        values = sorted(each[name] for each in found)
        table[name] = {"p50": statistics.median(values), "p90": values[int(0.9 * (len(values) - 1))]}
        unit = "%" if name == "idle" else "ms"
        print(f"{name:<8} p50 {table[name]['p50']:6.0f} {unit}   p90 {table[name]['p90']:6.0f} {unit}")
    print(f"of {len(found)} suggestions drawn")
    if chosen.json:
        chosen.json.write_text(json.dumps({"rounds": found, **table}, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["relay"]:
        relay(Path(sys.argv[2]))
    else:
        main()
