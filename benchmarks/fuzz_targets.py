"""The processes that benchmarks/fuzz.py sends nonsense to: a server over its pipes, a worker over its socket.

Each can be probed: a proper request has to be answered in time, else `Failed` is raised.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks import serve
from benchmarks.framing import Json, Unframer, framed
from benchmarks.fuzz_inputs import Failed
from benchmarks.serve import ROOT
from model_runtime import protocol
from model_runtime.protocol import Hello, Infill, Slot

WAIT_S = 20.0  # for an answer: long, since the machine may be busy with something else


class Server:
    """A server process with a worker that answers at once."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            serve.command("immediate"),
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
        self._unframer = Unframer()
        self._probe = 0
        self.answers: Counter[Json] = Counter()  # by the request's id
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
        for message in self._unframer.feed(os.read(self._out, 1 << 20)):
            if "method" not in message:
                answered = message.get("id")
                self.answers[answered if isinstance(answered, int | str | None) else repr(answered)] += 1


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
    """The next message. Raises Failed."""
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
