"""Many editors on one worker for a long time, with everything going wrong that can.

    python -m benchmarks.soak [--seconds 180] [--editors 8] [--rate 40] [--engine stand-in|embedded]
                              [--seed 0] [--json FILE]

Every editor is a real server process that shares the one worker. It types, edits at random places, asks
for completions, cancels some, and now and then asks for many at once, so that the queue is full.

    alone   one editor at its share of the rate: what a request costs undisturbed
    calm    all editors, nothing else: what sharing costs
    chaos   the worker is killed every few seconds, an editor every now and then
    rest    calm again: does memory stay?

What has to hold (exit status 1 otherwise): every request is answered exactly once; at the end the servers'
documents equal the editors'; from the beginning of a calm phase to the end no process has grown by more
than 5%, the prefix cache apart; the p95 of all editors together is at most twice that of one alone, or
requests were refused.
`stand-in` measures everything but the model; `embedded` takes it along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from benchmarks.keystroke import source

ROOT = Path(__file__).resolve().parent.parent
ANSWER_S = 30.0  # for any answer: nothing may take longer, whatever happens
GROWTH = 1.05
SLACK = 2 * 2**20  # bytes of growth that mean nothing
CACHE = 256 * 2**20  # bytes that a worker with a model may fill with prefixes
BURST = 30
ROUNDS = 3
KILL_S = 5.0  # between two kills of the worker
LINES = 300

Json = Any


class Editor:
    """One editor process: its documents as it knows them, and its server."""

    def __init__(self, number: int, engine: str, rng: random.Random) -> None:
        self.number = number
        self._engine = engine
        self._rng = rng
        self._id = 0
        self._waiting: dict[int, float] = {}
        self._version = 1
        self.answers: Counter[int] = Counter()
        self.asked: set[int] = set()
        self.kinds: Counter[str] = Counter()
        self.ms: list[float] = []  # of requests that went their whole way
        self.texts: dict[str, str] = {}
        self.results: dict[int, asyncio.Future[Json]] = {}

    async def start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.soak", "--serve", "--engine", self._engine]
        self.process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=-1, stdout=-1, stderr=asyncio.subprocess.DEVNULL, limit=2**24
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

    def type(self, count: bool = True) -> None:
        """A change somewhere and a request for what follows it."""
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
        asked = self.ask(uri, at, count)
        chance = self._rng.random()
        if chance < 0.15:
            self._notify("$/cancelRequest", {"id": asked})
            self.kinds["cancelled by the editor"] += 1
        elif chance < 0.25:
            self.ask(uri, at, count=False)  # supersedes the first

    def burst(self) -> None:
        for number in range(BURST):
            uri = f"file:///{self.number}/burst{number}.py"
            if uri not in self.texts:
                self.open(uri, "total = \n")
            self.ask(uri, (0, 8), count=False)

    def ask(self, uri: str, at: tuple[int, int], count: bool) -> int:
        line = self.texts[uri].split("\n")[at[0]]
        where = {"line": at[0], "character": _utf16(line[: at[1]])}
        params = {"textDocument": {"uri": uri}, "position": where, "context": {"triggerKind": 1}}
        self._id += 1
        self.asked.add(self._id)
        self._waiting[self._id] = time.perf_counter() if count else 0.0
        self._send({"id": self._id, "method": "textDocument/inlineCompletion", "params": params})
        return self._id

    async def request(self, method: str, params: Json) -> Json:
        self._id += 1
        future = self.results[self._id] = asyncio.get_running_loop().create_future()
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
        command = {"command": "soak.texts", "arguments": []}
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
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        if not self.process.stdin.is_closing():
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        assert self.process.stdout
        try:
            while True:
                header = await self.process.stdout.readuntil(b"\r\n\r\n")
                length = int(header.lower().partition(b"content-length:")[2].split()[0])
                message = json.loads(await self.process.stdout.readexactly(length))
                if "method" not in message:
                    self._receive(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    def _receive(self, message: Json) -> None:
        answered = message["id"]
        if answered in self.results:
            self.results.pop(answered).set_result(message.get("result"))
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


class Soak:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.rng = random.Random(options.seed)
        self.editors = [self._editor(number) for number in range(options.editors)]
        self.gone: Counter[str] = Counter()  # answers that editors got who were killed later
        self.worker_kills = 0
        self.problems: list[str] = []

    def _editor(self, number: int) -> Editor:
        return Editor(number, self.options.engine, random.Random(f"{self.options.seed} {number}"))

    async def run(self) -> dict[str, Any]:
        seconds = self.options.seconds
        await asyncio.gather(*(editor.start() for editor in self.editors))
        await self._load(self.editors, 0.08 * seconds)  # warm-up: starts the worker, loads the model
        await self._until_it_offers()
        alone_ms: list[float] = []
        calm_ms: list[float] = []
        cpu_ms: list[float] = []
        refused: Counter[str] = Counter()
        for _ in range(ROUNDS):  # in turns, so that what else the machine does hits both
            alone_ms += await self._phase(self.editors[:1], 0.16 * seconds / ROUNDS)
            old = await self._refused()
            spent, asked = self._spent(), self._asked()
            calm_ms += await self._phase(self.editors, 0.2 * seconds / ROUNDS)
            cpu_ms.append(1000 * (self._spent() - spent) / (self._asked() - asked))
            refused += await self._refused() - old
        alone, calm = self._summary(alone_ms), self._summary(calm_ms)
        before = {editor.process.pid: editor.memory() for editor in self.editors}
        await self._load(self.editors, 0.25 * seconds, chaos=True)
        await self._load(self.editors, 0.1 * seconds)
        worker = self._worker()
        worker_before = worker.memory_info().rss if worker else 0
        rest = self._summary(await self._phase(self.editors, 0.2 * seconds))
        await self._check_answers()
        grown = self._grown(before, worker, worker_before)
        ratio = calm["p95_ms"] / alone["p95_ms"]
        if ratio > 2 and not refused:
            self.problems.append(f"p95 of all is {ratio:.1f} times that of one, and nothing was refused")
        kinds = sum((editor.kinds for editor in self.editors), self.gone)
        return {
            "engine": self.options.engine,
            "editors": len(self.editors),
            "rate": self.options.rate,
            "seconds": seconds,
            "asked": sum(len(editor.asked) for editor in self.editors),
            "answers": dict(kinds),
            "refused_while_calm": dict(refused),
            "worker_kills": self.worker_kills,
            "alone": alone,
            "calm": calm,
            "rest": rest,
            "cpu_ms_per_request": round(statistics.median(cpu_ms), 2),
            "p95_ratio": round(ratio, 2),
            "memory": grown,
            "problems": self.problems,
        }

    async def _load(self, editors: list[Editor], seconds: float, *, chaos: bool = False) -> None:
        until = time.monotonic() + seconds
        work = [asyncio.create_task(self._typing(editor, until, chaos)) for editor in editors]
        if chaos:
            work.append(asyncio.create_task(self._killing(until)))
        await asyncio.gather(*work)

    async def _phase(self, editors: list[Editor], seconds: float) -> list[float]:
        """What each answer took, in ms."""
        for editor in editors:
            editor.ms.clear()
        await self._load(editors, seconds)
        for editor in editors:
            await editor.settle()
        return [value for editor in editors for value in editor.ms]

    def _summary(self, ms: list[float]) -> dict[str, Any]:
        answered = len(ms)
        if answered < 10:
            self.problems.append(f"only {answered} answers in a phase")
            ms = [ANSWER_S * 1000] * 2
        cuts = statistics.quantiles(ms, n=100, method="inclusive")
        return {"answered": answered, "p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1)}

    async def _typing(self, editor: Editor, until: float, chaos: bool) -> None:
        pause = self.options.editors / self.options.rate
        await asyncio.sleep(self.rng.random() * pause)
        due = time.monotonic()
        while (now := time.monotonic()) < until:
            if editor.process.returncode is None:
                editor.type()
                if chaos and self.rng.random() < 0.02:
                    editor.burst()
            due = max(due + pause, now - pause)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _killing(self, until: float) -> None:
        """The worker every few seconds, every third time an editor's server as well."""
        period = min(KILL_S, (until - time.monotonic()) / 4)
        while time.monotonic() + period < until:
            await asyncio.sleep(period)
            if worker := self._worker():
                worker.send_signal(signal.SIGKILL)
                self.worker_kills += 1
            if self.worker_kills % 3 == 1:
                number = self.rng.randrange(1, len(self.editors))
                killed = self.editors[number]
                await killed.kill()
                self._account(killed)
                self.gone += killed.kinds
                self.editors[number] = self._editor(number)
                await self.editors[number].start()

    async def _until_it_offers(self) -> None:
        until = time.monotonic() + 120
        while not self.editors[0].kinds["offered"] and time.monotonic() < until:
            self.editors[0].type()
            await asyncio.sleep(0.5)

    async def _check_answers(self) -> None:
        for editor in self.editors:
            if not await editor.settle():
                self.problems.append(f"editor {editor.number} waits for an answer")
            self._account(editor)
            for uri in await editor.differing():
                self.problems.append(f"{uri} is not what the editor has")

    def _account(self, editor: Editor) -> None:
        if wrong := {asked: n for asked in editor.asked if (n := editor.answers[asked]) != 1}:
            self.problems.append(f"editor {editor.number}: answered not exactly once: {wrong}")

    def _grown(self, before: dict[int, int], worker: psutil.Process | None, worker_before: int) -> Json:
        """Memory in MiB, before and after, of the processes that lived all along."""
        found = [
            ("server", before[editor.process.pid], editor.memory())
            for editor in self.editors
            if editor.process.pid in before
        ]
        if worker and worker.is_running():
            found.append(("worker", worker_before, worker.memory_info().rss))
        else:
            self.problems.append("the worker did not survive the rest")
        filling = CACHE if self.options.engine == "embedded" else 0
        for name, old, new in found:
            if new > old * GROWTH + SLACK + filling * (name == "worker"):
                self.problems.append(f"a {name} grew from {old / 2**20:.0f} to {new / 2**20:.0f} MiB")
        return [[name, round(old / 2**20, 1), round(new / 2**20, 1)] for name, old, new in found]

    async def _refused(self) -> Counter[str]:
        """By the worker that lives now, for reasons that are neither the client's nor the next request's."""
        command = {"command": "infill.status", "arguments": []}
        status = await self.editors[0].request("workspace/executeCommand", command)
        refused = Counter(status.get("refused", {}))
        return Counter({reason: n for reason, n in refused.items() if reason in ("busy", "deadline")})

    def _spent(self) -> float:
        """Seconds of processor time, of all servers and the worker."""
        processes = [psutil.Process(editor.process.pid) for editor in self.editors]
        if worker := self._worker():
            processes.append(worker)
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def _asked(self) -> int:
        return sum(len(editor.asked) for editor in self.editors)

    def _worker(self) -> psutil.Process | None:
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
                if "model_runtime" in words and any(str(self.folder) in word for word in words):
                    return process
            except psutil.Error:
                continue
        return None

    async def end(self) -> None:
        for editor in self.editors:
            if hasattr(editor, "process") and editor.process.returncode is None:
                await editor.kill()
        if worker := self._worker():
            worker.kill()


def serve(engine: str) -> None:
    """The real server, with a command that tells what it has of the documents."""
    from lsp_server.config.settings import Settings
    from lsp_server.handlers import server
    from lsp_server.session.session import Session
    from lsp_server.worker_client.client import Worker

    class OtherEngine(Worker):
        def _command(self, endpoint: Path) -> list[str]:
            return [*super()._command(endpoint), "--engine=benchmarks.stand_in:load_engine"]

    def connect(settings: Settings) -> Worker:
        return (Worker if engine == "embedded" else OtherEngine)(settings.choice)

    async def texts(ls: Any, arguments: list[Any], token: Any) -> dict[str, str]:
        return {uri: document.text for uri, document in session._documents.items()}

    session = Session(connect)
    built = server.build(session)
    session.configure("soak", {"confidenceThreshold": 0})
    built.command("soak.texts")(texts)
    server.serve(built)


def soak(options: argparse.Namespace) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    os.environ["INFILL_LS_RUNTIME_DIR"] = str(folder)

    async def run() -> dict[str, Any]:
        it = Soak(options, folder)
        try:
            return await it.run()
        finally:
            await it.end()

    try:
        return asyncio.run(run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180, help="3600 and more: a long soak")
    parser.add_argument("--editors", type=int, default=8)
    parser.add_argument("--rate", type=float, default=40, help="requests a second in all")
    parser.add_argument("--engine", choices=["stand-in", "embedded"], default="stand-in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    if options.serve:
        serve(options.engine)
        return 0
    result = soak(options)
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return int(bool(result["problems"]))


if __name__ == "__main__":
    sys.exit(main())
