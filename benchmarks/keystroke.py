"""The server's share of a keystroke, by file size: from the change to the suggestion, with a worker that
answers at once. It must not grow with the file.

    python -m benchmarks.keystroke [--keys N] [--json FILE] [--lines 500,10000,50000,100000]

`inside` calls session and completion as the handlers do; `stdio` talks to a real server process and counts
both messages, their encoding and the pipes. A line is typed in the middle of many functions, one character
at a time, one suggestion for each. `first` is the first suggestion in a file just opened, `open` the
time until the server has it. Every size is measured in rounds, in turns, so that what else
the machine does hits all sizes alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from lsp_server.session.completion import complete
from lsp_server.session.session import Session
from lsp_server.text.document import Refusal
from model_runtime.protocol import Done, Draft, Infill, Refused

ROOT = Path(__file__).resolve().parent.parent
URI = (ROOT / "lsp_server" / "untitled.py").as_uri()  # is not there; other files of the folder are
TYPED = "    total = self.count(value, "
ANSWER = "other + 1)"
ROUNDS = 8

Place = tuple[int, int]  # line, character


class Immediate:
    """A worker that has its answer ready."""

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        return Done(0, (ANSWER,), 0.9, steps=1, queue_ms=0, prefill_ms=0, denoise_ms=0)

    async def prepare(self) -> None:
        pass

    def feedback(self, *, shown: int = 0, accepted: int = 0) -> None:
        pass

    async def close(self) -> None:
        pass


def source(lines: int) -> str:
    """Python like anyone's: this project's own modules, again and again."""
    paths = sorted(
        path for package in ("lsp_server", "model_runtime") for path in (ROOT / package).glob("*.py")
    )
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in paths)
    text *= 1 + lines // text.count("\n")
    return "".join(line + "\n" for line in text.split("\n")[:lines])


def places(text: str, seed: int) -> Iterator[int]:
    """Lines below which a statement can be typed, for ever, anywhere in the file."""
    lines = text.split("\n")
    starts = [at + 1 for at, line in enumerate(lines) if line.startswith("def ") and line.endswith(":")]
    chosen = random.Random(seed)
    while True:
        yield chosen.choice(starts)


class Inside:
    """Session and pipeline in this process."""

    def __init__(self) -> None:
        worker: Any = Immediate()
        self.session = Session(lambda settings: worker)
        self.session.use_folders([ROOT.as_uri()])
        self.version = 1
        self.loop = asyncio.new_event_loop()

    def open(self, text: str) -> None:
        self.session.open(URI, 1, "python", text)

    def change(self, start: Place, end: Place, new: str) -> None:
        self.version += 1
        self.session.change(URI, self.version, [((start, end), new)])

    def suggest(self, at: Place) -> bool:
        return self.loop.run_until_complete(self._suggest(at))

    async def _suggest(self, at: Place) -> bool:
        place = self.session.place(URI, *at)
        assert place
        return not isinstance(await complete(self.session, *place), Refusal)

    def memory(self) -> float:
        return psutil.Process().memory_info().rss / 2**20

    def close(self) -> None:
        self.loop.run_until_complete(self.session.shut_down())
        self.loop.close()


class Stdio:
    """A server process, driven over its pipes."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.keystroke", "--serve"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.version = self.id = 1
        self._request("initialize", {"processId": None, "rootUri": ROOT.as_uri(), "capabilities": {}})
        self._notify("initialized", {})

    def open(self, text: str) -> None:
        document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})
        self._request("workspace/executeCommand", {"command": "infill.accepted"})  # until it has the text

    def change(self, start: Place, end: Place, new: str) -> None:
        self.version += 1
        change = {"range": {"start": _position(start), "end": _position(end)}, "text": new}
        document = {"uri": URI, "version": self.version}
        self._notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def suggest(self, at: Place) -> bool:
        where = {"textDocument": {"uri": URI}, "position": _position(at), "context": {"triggerKind": 1}}
        answer = self._request("textDocument/inlineCompletion", where)
        return bool(answer and answer["items"])

    def memory(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def close(self) -> None:
        self._request("shutdown", None)
        self._notify("exit", None)
        self.process.wait(10)

    def _notify(self, method: str, params: Any, **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _request(self, method: str, params: Any) -> Any:
        self.id += 1
        self._notify(method, params, id=self.id)
        while (message := self._read()).get("id") != self.id:
            pass
        assert "error" not in message, message
        return message["result"]

    def _read(self) -> dict[str, Any]:
        length, out = 0, self.process.stdout
        assert out
        while (line := out.readline()) != b"\r\n":
            assert line, "the server has left"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(out.read(length))


def _position(place: Place) -> dict[str, int]:
    return {"line": place[0], "character": place[1]}


class Bench:
    """One file size, measured one way."""

    def __init__(self, make: Callable[[], Inside | Stdio], lines: int) -> None:
        text = source(lines)
        self.lines, self.ms, self.offered = lines, [], 0
        self._places, self._server = places(text, seed=lines), make()
        line = next(self._places)
        started = time.perf_counter()
        self._server.open(text)
        self.open_ms = (time.perf_counter() - started) * 1000
        started = time.perf_counter()
        self._server.suggest((line, 0))
        self.first_ms = (time.perf_counter() - started) * 1000
        self.memory_mib = 0.0

    def round(self, keys: int) -> None:
        """Type lines, and take each back before the next, so that the file stays as long as it is."""
        for _ in range(max(1, keys // len(TYPED))):
            line = next(self._places)
            self._server.change((line, 0), (line, 0), "\n")
            for at, character in enumerate(TYPED):
                started = time.perf_counter()
                self._server.change((line, at), (line, at), character)
                self.offered += self._server.suggest((line, at + 1))
                self.ms.append((time.perf_counter() - started) * 1000)
            self._server.change((line, 0), (line + 1, 0), "")
        self.memory_mib = max(self.memory_mib, self._server.memory())

    def close(self) -> None:
        self._server.close()

    def row(self, way: str, base: float | None) -> dict[str, Any]:
        p50, p99 = statistics.median(self.ms), statistics.quantiles(self.ms, n=100)[98]
        return {
            "way": way,
            "lines": self.lines,
            "keys": len(self.ms),
            "offered": self.offered,
            "p50_ms": round(p50, 2),
            "p99_ms": round(p99, 2),
            "ratio": round(p50 / (base or p50), 2),
            "first_ms": round(self.first_ms, 1),
            "open_ms": round(self.open_ms, 1),
            "memory_mib": round(self.memory_mib, 0),
        }


def measure(way: str, make: Callable[[], Inside | Stdio], sizes: list[int], keys: int) -> list[dict]:
    benches = [Bench(make, lines) for lines in sizes]
    for bench in benches:
        bench.round(len(TYPED))
        bench.ms.clear()  # the first calls of everything
        bench.offered = 0
    for _ in range(ROUNDS):
        for bench in benches:
            bench.round(keys // ROUNDS)
    for bench in benches:
        bench.close()
    base = statistics.median(benches[0].ms)
    return [bench.row(way, base) for bench in benches]


def serve() -> None:
    from lsp_server.handlers import server

    worker: Any = Immediate()
    server.serve(server.build(Session(lambda settings: worker)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=960, help="keystrokes for each size and way")
    parser.add_argument("--lines", default="500,10000,50000,100000", help="file sizes, the first is the base")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve()
    sizes = [int(lines) for lines in options.lines.split(",")]
    rows = measure("inside", Inside, sizes, options.keys) + measure("stdio", Stdio, sizes, options.keys)
    names = list(rows[0])
    print(" ".join(f"{name:>10}" for name in names))
    for row in rows:
        print(" ".join(f"{row[name]!s:>10}" for name in names))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
