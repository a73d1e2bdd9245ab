"""What is visible while someone types steadily, through the real server and worker.

    python -m benchmarks.typing_speed --projects FOLDER [--lines N] [--server NAME=FOLDER]...

Lines of projects that nobody here trains or tunes on (`benchmarks.projects` lays them out in FOLDER) are
typed again, one key every 80, 110, 160 and 220 ms, as each editor sends keys and requests:

    vscode   a request 50 ms after each key; the next key cancels it
    neovim   a request 75 ms after a key behind which no other comes, unless something is drawn

and at rest, where each key waits for its answer. What is drawn stays while it is typed through, goes when
something else is typed, and is replaced by an answer for the place where the cursor is. Reported are

    right    of 100 keys: the rest of the line that is visible within 100 ms of the key is right
    share    of `right` at rest
    changed  a line: what was visible, and still followed by what was typed, became another text
    wrong    a line: something else was typed than what was visible

With several servers (checkouts of this project) each line is typed with one after the other, in turns, so
that what else the machine does hits all alike. Right is what begins with the rest of the line or is its
beginning to the end of a word, and more than two characters of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import holes
from benchmarks.framing import Unframer, framed
from benchmarks.holes import Hole
from benchmarks.serve import ROOT

SPEEDS = (80, 110, 160, 220)  # ms a key
VISIBLE_S = 0.1  # after a key
SHORTEST, LONGEST = 16, 60  # characters of a line without its indentation
ANSWER_S = 30.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How an editor asks: `wait` seconds after a key, `cancels` the request before."""

    wait: float
    cancels: bool


EDITORS = {"vscode": Way(0.05, True), "neovim": Way(0.075, False)}


@dataclass
class Count:
    """What one way of typing has come to."""

    keys: int = 0
    right: int = 0
    changed: int = 0
    wrong: int = 0
    lines: int = 0

    def row(self, rest: Count) -> Json:
        share = self.right / max(1, self.keys)
        return {
            "right": round(100 * share, 1),
            "share": round(share / max(1e-9, rest.right / max(1, rest.keys)), 2),
            "changed": round(self.changed / max(1, self.lines), 2),
            "wrong": round(self.wrong / max(1, self.lines), 2),
        }


class Server:
    """One server with the document being typed, and what an editor would draw of its answers."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self._id = self._version = 0
        self._waiting: dict[int, asyncio.Future[Json | None]] = {}
        self._uri = ""
        self._project: Path | None = None

    async def start(self, runtime: Path) -> None:
        # Each has a worker of its own: another checkout's may be another model.
        place = {"PYTHONPATH": str(self._folder), "INFILL_LS_RUNTIME_DIR": str(runtime / self.name)}
        self._environment = {**os.environ, **place}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lsp_server", "serve"),
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._reading = asyncio.ensure_future(self._read())
        await self.request("initialize", {"capabilities": {}, "workspaceFolders": []})
        self.notify("initialized", {})

    async def stop(self) -> None:
        self._process.kill()
        await self._process.wait()
        await self._reading
        stop = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lsp_server", "worker", "stop"), cwd=self._folder, env=self._environment
        )
        await stop.wait()

    def work_in(self, folder: Path) -> None:
        """Have this project open, and no other."""
        folders = [{"uri": each.as_uri(), "name": each.name} for each in (folder, self._project) if each]
        self._project = folder
        event = {"added": folders[:1], "removed": folders[1:]}
        self.notify("workspace/didChangeWorkspaceFolders", {"event": event})

    def open(self, uri: str, text: str) -> None:
        self._uri, self._version = uri, 1
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def close(self) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})

    def key(self, line: int, column: int, text: str) -> None:
        self._version += 1
        at = {"line": line, "character": column}
        document = {"uri": self._uri, "version": self._version}
        change = {"range": {"start": at, "end": at}, "text": text}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def ask(self, line: int, column: int) -> tuple[int, asyncio.Future[Json | None]]:
        at = {"line": line, "character": column}
        params = {"textDocument": {"uri": self._uri}, "position": at, "context": {"triggerKind": 2}}
        return self._send("textDocument/inlineCompletion", params)

    def cancel(self, id: int) -> None:
        self.notify("$/cancelRequest", {"id": id})

    async def request(self, method: str, params: Json) -> Json | None:
        return await asyncio.wait_for(self._send(method, params)[1], ANSWER_S)

    def notify(self, method: str, params: Json) -> None:
        assert self._process.stdin
        self._process.stdin.write(framed({"method": method, "params": params}))

    def _send(self, method: str, params: Json) -> tuple[int, asyncio.Future[Json | None]]:
        assert self._process.stdin
        self._id += 1
        future = self._waiting[self._id] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(framed({"id": self._id, "method": method, "params": params}))
        return self._id, future

    async def _read(self) -> None:
        assert self._process.stdout
        unframer = Unframer()
        while data := await self._process.stdout.read(2**16):
            for message in unframer.feed(data):
                waiting = None if "method" in message else self._waiting.pop(message["id"], None)
                if waiting and not waiting.done():
                    waiting.set_result(message.get("result"))


class Typist:
    """Types one line with one server, as one editor, and draws what it is answered."""

    def __init__(self, server: Server, hole: Hole, count: Count, way: Way | None) -> None:
        """`way`: None at rest, where each key waits for its answer."""
        self._server, self._hole, self._count, self._way = server, hole, count, way
        self._line = hole.before.count("\n")
        self._column = len(hole.before) - hole.before.rfind("\n") - 1
        self._shown, self._id, self._tasks = "", 0, list[asyncio.Task[None]]()

    async def type(self, period: float) -> None:
        """`period`: seconds a key."""
        loop, line = asyncio.get_running_loop(), self._hole.middle
        began = loop.time()
        for at, key in enumerate(line[:-1]):
            self._press(at, key)
            if self._way is None:
                await self._ask(at + 1)
            else:
                self._tasks.append(asyncio.ensure_future(self._later(at + 1, self._way)))
                await _until(began + at * period + min(period, VISIBLE_S))
            self._count.keys += 1
            self._count.right += right(self._shown, line[at + 1 :])
            if self._way:
                await _until(began + (at + 1) * period)
        for task in self._tasks:
            task.cancel()
        self._count.lines += 1

    def _press(self, at: int, key: str) -> None:
        if self._tasks:
            self._tasks.pop().cancel()
        if self._way and self._way.cancels and self._id:
            self._server.cancel(self._id)
        self._server.key(self._line, self._column + at, key)
        if self._shown:
            self._count.wrong += not self._shown.startswith(key)
            self._shown = self._shown[1:] if self._shown.startswith(key) else ""

    async def _later(self, typed: int, way: Way) -> None:
        await asyncio.sleep(way.wait)
        if way.cancels or not self._shown:
            await self._ask(typed)

    async def _ask(self, typed: int) -> None:
        self._id, answer = self._server.ask(self._line, self._column + typed)
        found = await asyncio.wait_for(answer, ANSWER_S)
        if found is not None:  # null leaves what is drawn
            items = found["items"]
            text = items[0]["insertText"] if items else ""
            self._count.changed += bool(self._shown) and self._shown != text
            self._shown = text


async def _until(when: float) -> None:
    await asyncio.sleep(max(0.0, when - asyncio.get_running_loop().time()))


def right(shown: str, rest: str) -> bool:
    """Whether what is visible is right as far as it goes, and goes to the end of a word."""
    wordy = [*("_" if each.isalnum() else each for each in rest), " "]
    whole = shown == rest or (len(shown) > 2 and not (shown[-1].isalnum() and wordy[len(shown)] == "_"))
    return bool(shown) and rest.startswith(shown) and whole


def chosen(folder: Path, count: int, seed: int) -> list[Hole]:
    """Whole lines of the test projects, without their indentation."""
    found = [
        hole
        for hole in holes.load(folder, "test", "python")
        if hole.kind == "whole-line"
        and SHORTEST <= len(hole.middle.strip()) <= LONGEST
        and "\n" not in hole.middle
        and hole.middle.isascii()
    ]
    random.Random(seed).shuffle(found)
    return sorted(found[:count], key=lambda hole: hole.project)


async def measure(options: argparse.Namespace, servers: list[Server]) -> dict[str, Count]:
    counts: dict[str, Count] = defaultdict(Count)
    lines = chosen(options.projects, options.lines, options.seed)
    ways: list[tuple[str, int, Way | None]] = [("rest", 0, None)]
    ways += [(name, ms, EDITORS[name]) for name in options.editors for ms in options.speeds]
    for number, hole in enumerate(lines):
        project = options.projects / "test" / "python" / hole.project
        uri = (project / hole.path).as_uri()
        for server in servers:
            server.work_in(project)
            server.open(uri, hole.before + hole.after)
            new = not number or hole.project != lines[number - 1].project
            await asyncio.sleep(options.settle * (10 if new else 1))  # the project is read
            server.close()
        for name, ms, way in ways:
            for server in servers if number % 2 else servers[::-1]:
                server.open(uri, hole.before + hole.after)
                await asyncio.sleep(0.2)
                await Typist(server, hole, counts[f"{server.name} {name} {ms}"], way).type(ms / 1000)
                server.close()
        print(f"{number + 1}/{len(lines)}", file=sys.stderr, flush=True)
    return counts


async def run(options: argparse.Namespace, servers: list[Server]) -> list[Json]:
    with tempfile.TemporaryDirectory(prefix="typing-") as runtime:
        for server in servers:
            await server.start(Path(runtime))
        try:
            counts = await measure(options, servers)
        finally:
            for server in servers:
                await server.stop()
    rows = []
    for key, count in counts.items():
        name, editor, ms = key.split()
        row = count.row(counts[f"{name} rest 0"])
        rows.append({"server": name, "editor": editor, "ms": int(ms), **row})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--projects", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speeds", type=lambda text: [int(ms) for ms in text.split(",")], default=SPEEDS)
    parser.add_argument("--editors", type=lambda text: text.split(","), default=list(EDITORS))
    parser.add_argument("--server", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--settle", type=float, default=1.0, help="seconds for the index after an opening")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    options.projects = options.projects.resolve()
    named = [each.partition("=") for each in options.server] or [("here", "=", str(ROOT))]
    rows = asyncio.run(run(options, [Server(name, Path(folder).resolve()) for name, _, folder in named]))
    print("  ".join(f"{name:>8}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>8}" for value in row.values()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
