"""One editor of many: it types, asks and cancels, and counts what its server answers.

It knows which documents its server should have. What the counts must come to is not decided here.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import psutil

from benchmarks import serve
from benchmarks.framing import Json, Unframer, framed
from benchmarks.python_source import source

ANSWER_S = 30.0  # for any answer: nothing may take longer, whatever happens
BURST = 30  # requests at once
LINES = 300  # of each document


class Editor:
    """An editor and its server process; `texts` is what the server should have."""

    def __init__(self, number: int, engine: str, rng: random.Random) -> None:
        """`engine`: one of `serve.ENGINES`."""
        self.number = number
        self._engine = engine
        self._rng = rng
        self._id = 0
        self._waiting: dict[int, float] = {}  # request: when it was sent, or 0.0 if its time does not count
        self._version = 1
        self._results: dict[int, asyncio.Future[Json]] = {}
        self.answers: Counter[int] = Counter()  # to each completion request
        self.asked: set[int] = set()  # completion requests
        self.kinds: Counter[str] = Counter()  # of answers
        self.ms: list[float] = []  # of requests that went their whole way
        self.texts: dict[str, str] = {}  # by URI

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *serve.command(self._engine),
            cwd=serve.ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._reading = asyncio.create_task(self._read())
        await self.request("initialize", {"capabilities": {}})
        self._notify("initialized", {})
        text = source(LINES)
        for name in ("one", "two"):
            self.open(f"file:///{self.number}/{name}.py", text)

    def open(self, uri: str, text: str) -> None:
        self.texts[uri] = text
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})

    async def kill(self) -> None:
        """Its requests die with it: nobody is left to answer."""
        self.process.kill()
        await self.process.wait()
        await self._reading
        for waiting in self._waiting:
            self.asked.discard(waiting)
        self._waiting.clear()
        self.kinds["editor killed"] += 1

    def type(self) -> None:
        """A change somewhere and a request for what follows it, which may be cancelled or superseded."""
        uri = self._rng.choice(list(self.texts)[:2])
        lines = self.texts[uri].split("\n")
        line = self._rng.randrange(len(lines))
        column = self._rng.randrange(_end(lines[line]) + 1)
        new = self._rng.choice(["x = ", "\n    return ", "é", "😀", "(", "\r\n", "self."])
        if self._rng.random() < 0.5 or len(self.texts[uri]) > 40_000:
            end = min(len(lines) - 1, line + self._rng.randrange(3))
            last = self._rng.randrange(_end(lines[end]) + 1)
            if (end, last) < (line, column):
                last = column
        else:
            end, last = line, column
        self._change(uri, (line, column), (end, last), new)
        at = line + new.count("\n"), len((lines[line][:column] + new).split("\n")[-1])
        asked = self.ask(uri, at)
        chance = self._rng.random()
        if chance < 0.15:
            self._notify("$/cancelRequest", {"id": asked})
            self.kinds["cancelled by the editor"] += 1
        elif chance < 0.25:
            self.ask(uri, at, count=False)  # supersedes the first

    def burst(self) -> None:
        """A request in each of many documents, at once."""
        for number in range(BURST):
            uri = f"file:///{self.number}/burst{number}.py"
            if uri not in self.texts:
                self.open(uri, "total = \n")
            self.ask(uri, (0, 8), count=False)

    def ask(self, uri: str, at: tuple[int, int], count: bool = True) -> int:
        """Send a completion request for (line, character); its id. `count`: its time goes to `ms`."""
        line = self.texts[uri].split("\n")[at[0]]
        where = {"line": at[0], "character": _utf16(line[: at[1]])}
        params = {"textDocument": {"uri": uri}, "position": where, "context": {"triggerKind": 1}}
        self._id += 1
        self.asked.add(self._id)
        self._waiting[self._id] = time.perf_counter() if count else 0.0
        self._send({"id": self._id, "method": "textDocument/inlineCompletion", "params": params})
        return self._id

    async def request(self, method: str, params: Json) -> Json:
        """The result, which is None for an error. Raises TimeoutError."""
        self._id += 1
        future = self._results[self._id] = asyncio.get_running_loop().create_future()
        self._send({"id": self._id, "method": method, "params": params})
        return await asyncio.wait_for(future, ANSWER_S)

    async def settle(self) -> bool:
        """Whether all that was asked is answered in time."""
        for _ in range(int(ANSWER_S / 0.05)):
            if not self._waiting:
                return True
            await asyncio.sleep(0.05)
        return False

    async def differing(self) -> list[str]:
        """Documents that the server has otherwise than this editor."""
        command = {"command": serve.TEXTS, "arguments": []}
        theirs = await self.request("workspace/executeCommand", command)
        return [uri for uri, text in self.texts.items() if theirs.get(uri) != text]

    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def _change(self, uri: str, start: tuple[int, int], end: tuple[int, int], new: str) -> None:
        text = self.texts[uri]
        lines = text.split("\n")
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line) + 1)
        first, last = starts[start[0]] + start[1], starts[end[0]] + end[1]
        self.texts[uri] = text[:first] + new + text[last:]
        self._version += 1
        positions = [{"line": n, "character": _utf16(lines[n][:column])} for n, column in (start, end)]
        change = {"range": {"start": positions[0], "end": positions[1]}, "text": new}
        document = {"uri": uri, "version": self._version}
        self._notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def _notify(self, method: str, params: Json) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Json) -> None:
        assert self.process.stdin
        if not self.process.stdin.is_closing():
            self.process.stdin.write(framed(message))

    async def _read(self) -> None:
        assert self.process.stdout
        unframer = Unframer()
        while data := await self.process.stdout.read(2**16):
            for message in unframer.feed(data):
                if "method" not in message:
                    self._receive(message)

    def _receive(self, message: Json) -> None:
        answered = message["id"]
        if answered in self._results:
            self._results.pop(answered).set_result(message.get("result"))
            return
        self.answers[answered] += 1
        began = self._waiting.pop(answered, 0.0)
        result = message.get("result")
        if result is None:  # displaced or cancelled
            kind = "error" if "error" in message else "null"
        else:
            kind = "offered" if result["items"] else "empty"
            if began:
                self.ms.append((time.perf_counter() - began) * 1000)
        self.kinds[kind] += 1


def _end(line: str) -> int:
    """The last column: no position is between the two characters of a line end."""
    return len(line.removesuffix("\r"))


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
