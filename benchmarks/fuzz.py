"""Nonsense for all that reads what others wrote: nothing may crash, hang or grow.

    python -m benchmarks.fuzz [--inputs 100000] [--seed 0] [--only TARGET] [--json FILE]

To the server's standard input (lsp) and the worker's socket (socket) inputs go in batches. After each batch
a proper request has to be answered, with less than a second of processor time spent since the last one;
requests of batches whose framing is intact have to be answered exactly once, however wrong their parameters.
The other targets run in this process, one input after the other: ignore-files, texts, trees and a crowd of
files (`fuzz_files`), edits (`fuzz_edits`), answers of model servers (`fuzz_answers`). What fails there is
printed, saved below --save, and can be tried again by its --seed and --number. Exit status 1 if anything of
this fails.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks import fuzz_inputs
from benchmarks.framing import framed_body
from benchmarks.fuzz_answers import Answers
from benchmarks.fuzz_edits import Edits
from benchmarks.fuzz_files import Crowd, FileTexts, IgnoreFiles, Trees
from benchmarks.fuzz_inputs import Failed
from benchmarks.fuzz_targets import Server, Worker
from benchmarks.nonsense import LspInputs, socket_input
from model_runtime import protocol
from model_runtime.protocol import Hello

BATCH = 50
CPU_S = 1.0  # for a batch
GROWTH = 48 * 2**20  # bytes that a process may take in addition
WARM = 20  # batches before memory counts


def fuzz_lsp(inputs: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    make, server = LspInputs(rng), Server()
    process, watch = psutil.Process(server.process.pid), Watch(server.process.pid)
    asked = 0
    try:
        for batch in range(max(1, inputs // BATCH)):
            intact, data, expected = batch % 2 == 0, b"", []
            for _ in range(BATCH):
                kind = rng.random()
                if kind < 0.6 or (intact and kind < 0.7):
                    body, answer = make.body()
                    data += framed_body(body)
                    expected += [answer] if answer is not None else []
                elif kind < 0.8 or intact:
                    data += framed_body(make.garbled())
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
                        peers[-1].sendall(socket_input(rng))
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
IN_PROCESS: dict[str, Callable[[], fuzz_inputs.Try]] = {
    "ignore-files": IgnoreFiles,
    "texts": FileTexts,
    "trees": Trees,
    "edits": Edits,
    "answers": Answers,
    "crowd": Crowd,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[*TARGETS, *IN_PROCESS])
    parser.add_argument("--number", type=int, help="of one input, to try it again")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="for what has failed")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    results: dict[str, Any] = {"seed": options.seed}
    failed = False
    for name in [options.only] if options.only else [*TARGETS, *IN_PROCESS]:
        began = time.monotonic()
        try:
            if name in TARGETS:
                results[name] = TARGETS[name](options.inputs, options.seed)
            else:
                results[name] = fuzz_inputs.drive(
                    name,
                    IN_PROCESS[name](),
                    1 if name == "crowd" else options.inputs,
                    options.seed,
                    only=options.number,
                    save=options.save,
                )
                failed |= "failures" in results[name]
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
