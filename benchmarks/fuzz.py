"""Nonsense for the server's standard input and for the worker's socket: nothing may crash, hang or grow.

    python -m benchmarks.fuzz [--inputs 100000] [--seed 0] [--only lsp|socket] [--json FILE]

Inputs come in batches. After each batch a proper request has to be answered, with less than a second of
processor time spent since the last one; requests of batches whose framing is intact have to be answered
exactly once, however wrong their parameters. Exit status 1 if anything of this fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil

from model_runtime import protocol
from model_runtime.protocol import Cancel, Feedback, Hello, Infill, Slot, StatusRequest

ROOT = Path(__file__).resolve().parent.parent
BATCH = 50
CPU_S = 1.0  # for a batch
WAIT_S = 20.0  # for an answer: long, since the machine may be busy with something else
GROWTH = 48 * 2**20  # bytes that a process may take in addition
WARM = 20  # batches before memory counts

Json = Any


class Failed(Exception):
    """What must not happen has happened."""


# What is sent to the server

TEXTS = [
    "",
    "x",
    "a = \n",
    "é😀\r\n",
    "\ud83d",
    "\0",
    "\x0c\u2028",
    "def f(:\n    (",
    "((((" * 500,
    "x" * 200_000,
]
URIS = ["file:///a.py", "file:///b.py", "", "not a uri", "http://[", "file:///%00%ff", "untitled:1"]
NUMBERS = [0, 1, 2, 7, 10**6, 2**31 - 1, 2**31, 2**63, -1, 1.5, "1", None, [], True]
METHODS = ["textDocument/hover", "infill/nonsense", "$/progress", "", "\n", "initialized", "💥", "a" * 10_000]


class Lsp:
    """Makes messages, more or less wrong."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.id = 10**6

    def position(self) -> Json:
        def number() -> Json:
            return self.rng.choice(NUMBERS) if self.rng.random() < 0.3 else self.rng.randrange(6)

        return {"line": number(), "character": number()}

    def message(self) -> dict[str, Json]:
        pick = self.rng.choice
        uri = pick(URIS[:2]) if self.rng.random() < 0.8 else pick(URIS)
        document: dict[str, Json] = {"uri": uri}
        kind = self.rng.randrange(8)
        self.id += 1
        if kind == 0:
            document |= {"languageId": pick(["python", "klingon", ""]), "version": 1, "text": pick(TEXTS)}
            return {"method": "textDocument/didOpen", "params": {"textDocument": document}}
        if kind == 1:
            changes: list[Json] = [{"text": pick(TEXTS)}]
            if self.rng.random() < 0.8:
                changes = [
                    {"range": {"start": self.position(), "end": self.position()}, "text": pick(TEXTS)}
                    for _ in range(self.rng.randrange(3))
                ]
            document["version"] = pick(NUMBERS)
            params = {"textDocument": document, "contentChanges": changes}
            return {"method": "textDocument/didChange", "params": params}
        if kind == 2:
            return {"method": "textDocument/didClose", "params": {"textDocument": document}}
        if kind in (3, 4):
            context = {"triggerKind": self.rng.choice([1, 2, 2, 7])}
            params = {"textDocument": document, "position": self.position(), "context": context}
            return {"id": self.id, "method": "textDocument/inlineCompletion", "params": params}
        if kind == 5:
            params = {"command": pick(["infill.accepted", "infill.nope", ""]), "arguments": [document]}
            return {"id": self.id, "method": "workspace/executeCommand", "params": params}
        if kind == 6:
            settings = {
                pick(["model", "languages", "logLevel", "deadlineMs", "x"]): pick([None, [], {}, "x"])
            }
            params = {"settings": {"infill": settings}}
            return {"method": "workspace/didChangeConfiguration", "params": params}
        return pick(
            [
                {"id": self.id, "method": pick(METHODS), "params": pick([None, {}, []])},
                {"method": pick(METHODS), "params": pick([None, {}, []])},
                {"method": "$/cancelRequest", "params": {"id": pick([self.id, "x", None, {}])}},
                {"id": pick([1, 10**9, "x"]), "result": pick([None, {}, "x"])},
                {"id": pick([1, 10**9, "x"]), "error": {"code": 1, "message": "x"}},
            ]
        )

    def mutated(self, message: Json) -> Json:
        """With one of its parts, anywhere below `params`, replaced or missing."""
        holder, key = message, "params"
        while isinstance(value := holder[key], dict | list) and value and self.rng.random() < 0.7:
            holder = value
            key = self.rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if self.rng.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        else:
            odd = [None, 0, -1, 1e308, 10**400, "", "\ud800", [], {}, [[]], {"jsonrpc": "2.0"}, "x" * 10**5]
            holder[key] = self.rng.choice(odd)
        return message

    def body(self) -> tuple[bytes, Json]:
        """A body, and the id that has to be answered, if any."""
        message = {"jsonrpc": "2.0"} | self.message()
        if "params" in message and self.rng.random() < 0.4:
            message = self.mutated(message)
        expected = message["id"] if "id" in message and "method" in message else None
        return json.dumps(message).encode(), expected

    def garbled(self) -> bytes:
        """A body that is no message, in a proper frame."""
        body = bytearray(self.body()[0])
        for _ in range(self.rng.randrange(1, 6)):
            body[self.rng.randrange(len(body))] = self.rng.randrange(256)
        depth = self.rng.choice([100, 5_000, 100_000])
        return self.rng.choice(
            [
                bytes(body),
                bytes(body)[: self.rng.randrange(len(body))],
                b"[" * depth,
                b'{"jsonrpc":"2.0","method":"a","params":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1),
                b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"a"}',
                json.dumps([1, "x", None]).encode(),
                json.dumps({"jsonrpc": "2.0"}).encode("utf-16"),
                b'"\xff\xfe"',
                b"\xef\xbb\xbf{}",
                self.rng.randbytes(self.rng.randrange(1, 200)),
            ]
        )

    def misframed(self) -> bytes:
        body = self.body()[0]
        wrong = self.rng.choice(
            [len(body) + self.rng.randrange(1, 2000), self.rng.randrange(len(body)), 10**11, 10**30]
        )
        return self.rng.choice(
            [
                b"Content-Length: %d\r\n\r\n%s" % (wrong, body),
                b"Content-Length: -%d\r\n\r\n%s" % (len(body), body),
                b"Content-Length: many\r\n\r\n" + body,
                b"Content-Length: %d\r\n" % self.rng.randrange(3000),
                b"\r\n" * self.rng.randrange(5),
                body,
                self.rng.randbytes(self.rng.randrange(1, 3000)),
                b"x" * 50_000,
            ]
        )


class Server:
    """A server process with a worker that answers at once."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.keystroke", "--serve"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdin
        assert self.process.stdout
        self._in, self._out = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._buffer = b""
        self._probe = 0
        self.answers: Counter[Json] = Counter()
        self.write(framed({"id": 0, "method": "initialize", "params": {"capabilities": {}}}))
        self.write(framed({"method": "initialized", "params": {}}))
        self.probe(b"")

    def write(self, data: bytes) -> None:
        """Reads while it writes: neither side may wait for the other for ever."""
        until = time.monotonic() + WAIT_S
        while data:
            if self.process.poll() is not None:
                raise Failed(f"the server ended with {self.process.returncode}")
            if time.monotonic() > until:
                raise Failed("the server does not read")
            readable, writable, _ = select.select([self._out], [self._in], [], 1.0)
            if readable:
                self._receive()
            if writable:
                data = data[os.write(self._in, data[:65536]) :]

    def probe(self, flush: bytes) -> None:
        """A proper request has to be answered; `flush` ends what a wrong length may still be waiting for."""
        self._probe -= 1
        params = {"command": "infill.accepted", "arguments": []}
        self.write(
            flush + framed({"id": self._probe, "method": "workspace/executeCommand", "params": params})
        )
        until = time.monotonic() + WAIT_S
        while not self.answers[self._probe]:
            if time.monotonic() > until or self.process.poll() is not None:
                raise Failed(f"no answer; exit status {self.process.poll()}")
            if select.select([self._out], [], [], 0.5)[0]:
                self._receive()

    def _receive(self) -> None:
        self._buffer += os.read(self._out, 1 << 20)
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = int(self._buffer[:end].lower().partition(b"content-length:")[2].split()[0])
            body = self._buffer[end + 4 : end + 4 + length]
            if len(body) < length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            message = json.loads(body)
            if "method" not in message:
                answered = message.get("id")
                self.answers[answered if isinstance(answered, int | str | None) else repr(answered)] += 1


def framed(message: dict[str, Json]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def fuzz_lsp(inputs: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    make, server = Lsp(rng), Server()
    process, watch = psutil.Process(server.process.pid), Watch(server.process.pid)
    asked = 0
    try:
        for batch in range(max(1, inputs // BATCH)):
            intact, data, expected = batch % 2 == 0, b"", []
            for _ in range(BATCH):
                kind = rng.random()
                if kind < 0.6 or (intact and kind < 0.7):
                    body, answer = make.body()
                    data += b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                    expected += [answer] if answer is not None else []
                elif kind < 0.8 or intact:
                    body = make.garbled()
                    data += b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                else:
                    data += make.misframed()
            server.write(data)
            server.probe(b"" if intact else b" " * 4096 + b"\r\n")
            if intact:
                asked += len(expected)
                wrong = {i: n for i in expected if (n := server.answers[i]) != 1}
                if wrong and server.process.poll() is None:
                    time.sleep(0.5)  # superseded ones are answered by tasks of their own
                    server.probe(b"")
                    wrong = {i: n for i in expected if (n := server.answers[i]) != 1}
                if wrong:
                    raise Failed(f"answered not exactly once: {wrong}")
            server.answers.clear()
            watch.check(batch)
        return {"inputs": inputs, "requests_answered_once": asked, **watch.result()}
    finally:
        process.kill()
        server.process.wait()


# What is sent to the worker


class Worker:
    """A worker process with an engine that is quick."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = folder / "fuzz.sock"
        command = [sys.executable, "-m", "model_runtime", f"--endpoint={self.endpoint}", "--model=stand-in"]
        command += ["--engine=benchmarks.stand_in:load_engine", "--idle-minutes=0"]
        environment = os.environ | {"INFILL_LS_RUNTIME_DIR": str(folder)}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + WAIT_S
        while not self.endpoint.exists():
            if time.monotonic() > until or self.process.poll() is not None:
                raise Failed("the worker does not start")
            time.sleep(0.02)
        self.good = self.connect(greet=True)

    def connect(self, greet: bool) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(WAIT_S)
        peer.connect(str(self.endpoint))
        if greet:
            peer.sendall(protocol.pack(Hello()))
            receive(peer)
        return peer

    def probe(self, number: int) -> None:
        self.good.sendall(protocol.pack(Infill(number, "probe", "", (Slot(4),))))
        answer = receive(self.good)
        if not (isinstance(answer, protocol.Done) and answer.id == number):
            raise Failed(f"a proper request got {answer}")


def receive(peer: socket.socket) -> protocol.WorkerMessage:
    (length,) = struct.unpack(">I", exactly(peer, 4))
    return protocol.worker_decoder.decode(exactly(peer, length))


def exactly(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        try:
            more = peer.recv(count - len(data))
        except TimeoutError:
            raise Failed("the worker does not answer") from None
        if not more:
            raise Failed("the worker hung up on a proper client")
        data += more
    return data


def frames(rng: random.Random) -> bytes:
    """One input for the socket: a frame more or less, or nothing like one."""
    good = rng.choice(
        [
            Infill(rng.randrange(50), "d", "x = 1\n", (Slot(4),), deadline_ms=rng.choice([None, 0, 5, -1])),
            Infill(rng.randrange(50), "", "", ()),
            Cancel(rng.randrange(50)),
            StatusRequest(1),
            Feedback(rng.choice([0, 1, -5, 10**12])),
            Hello(version=rng.choice([0, 1, 2, -1])),
        ]
    )
    body = bytearray(msgspec.msgpack.encode(good))
    if rng.random() < 0.6:
        for _ in range(rng.randrange(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
    nested = rng.choice([b"\x91", b"\x81\xa1a"]) * rng.choice([100, 50_000])
    return rng.choice(
        [
            struct.pack(">I", len(body)) + body,
            struct.pack(">I", len(body)) + body,
            struct.pack(">I", len(body)) + body[: rng.randrange(len(body))],
            struct.pack(">I", rng.choice([0, 2**32 - 1, protocol.MAX_FRAME, protocol.MAX_FRAME + 1])) + body,
            struct.pack(">I", len(nested)) + nested,
            rng.randbytes(rng.randrange(1, 200)),
            b"GET / HTTP/1.1\r\n\r\n",
        ]
    )


def fuzz_socket(inputs: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/tmp") as folder:
        worker = Worker(Path(folder))
        watch, done, batch = Watch(worker.process.pid), 0, 0
        try:
            while done < inputs:
                peers = []
                for _ in range(BATCH):
                    if not peers or rng.random() < 0.4:
                        peers.append(worker.connect(greet=False))
                        if rng.random() < 0.8:
                            peers[-1].sendall(protocol.pack(Hello()))
                    try:
                        peers[-1].sendall(frames(rng))
                    except OSError:  # it hung up on nonsense
                        peers.append(worker.connect(greet=False))
                    done += 1
                for peer in peers:
                    if rng.random() < 0.3:
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    peer.close()
                worker.probe(batch)
                watch.check(batch)
                batch += 1
            return {"inputs": done, **watch.result()}
        finally:
            worker.process.kill()
            worker.process.wait()


class Watch:
    """Processor time from one batch to the next, and memory after the first few."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._spent = self._cpu()
        self._base = 0
        self._most = 0.0

    def check(self, batch: int) -> None:
        spent = self._cpu()
        cost, self._spent = spent - self._spent, spent
        self._most = max(self._most, cost)
        if cost > CPU_S:
            raise Failed(f"batch {batch} took {cost:.1f} s")
        if batch <= WARM:
            self._base = self._rss()
        elif self._rss() - self._base > GROWTH:
            raise Failed(f"grew from {self._base / 2**20:.0f} to {self._rss() / 2**20:.0f} MiB")

    def result(self) -> dict[str, Any]:
        return {
            "most_cpu_s_in_a_batch": round(self._most, 3),
            "memory_mib": [round(self._base / 2**20, 1), round(self._rss() / 2**20, 1)],
        }

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def _rss(self) -> int:
        return self._process.memory_info().rss


TARGETS: dict[str, Callable[[int, int], dict[str, Any]]] = {"lsp": fuzz_lsp, "socket": fuzz_socket}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(TARGETS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    results: dict[str, Any] = {"seed": options.seed}
    failed = False
    for name in [options.only] if options.only else TARGETS:
        began = time.monotonic()
        try:
            results[name] = TARGETS[name](options.inputs, options.seed)
        except Failed as error:
            failed = True
            results[name] = {"failed": str(error)}
        results[name]["seconds"] = round(time.monotonic() - began, 1)
        print(name, json.dumps(results[name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
