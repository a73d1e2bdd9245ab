"""The load of benchmarks/soak.py: editors that share one worker, and what kills both.

It also finds the worker's process. Whether what comes of it is right is for the soak to say.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.editor import Editor

KILL_S = 5.0  # between two kills of the worker


class Load:
    """Editors and the worker that they share. Editor 0 is never killed."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        """`options`: the soak's; `folder`: the workers' runtime folder."""
        self.options = options
        self.folder = folder
        self.rng = random.Random(options.seed)
        self.editors = [self._editor(number) for number in range(options.editors)]
        self.gone: Counter[str] = Counter()  # answers that editors got who were killed later
        self.worker_kills = 0
        self.problems: list[str] = []

    def _editor(self, number: int) -> Editor:
        return Editor(number, self.options.engine, random.Random(f"{self.options.seed} {number}"))

    async def start(self) -> None:
        await asyncio.gather(*(editor.start() for editor in self.editors))

    async def run(self, editors: list[Editor], seconds: float, *, chaos: bool = False) -> None:
        """They type, each at its share of the rate; `chaos`: with bursts and kills."""
        until = time.monotonic() + seconds
        work = [asyncio.create_task(self._type(editor, until, chaos)) for editor in editors]
        if chaos:
            work.append(asyncio.create_task(self._kill(until)))
        await asyncio.gather(*work)

    async def phase(self, editors: list[Editor], seconds: float) -> list[float]:
        """Undisturbed load; what each answer took, in ms."""
        for editor in editors:
            editor.ms.clear()
        await self.run(editors, seconds)
        for editor in editors:
            await editor.settle()
        return [value for editor in editors for value in editor.ms]

    async def until_it_offers(self) -> None:
        """The model is loaded then."""
        until = time.monotonic() + 120
        while not self.editors[0].kinds["offered"] and time.monotonic() < until:
            self.editors[0].type()
            await asyncio.sleep(0.5)

    def account(self, editor: Editor) -> None:
        """Note it as a problem if one of its requests was not answered exactly once."""
        if wrong := {asked: n for asked in editor.asked if (n := editor.answers[asked]) != 1}:
            self.problems.append(f"editor {editor.number}: answered not exactly once: {wrong}")

    def cpu_s(self) -> float:
        """Seconds of processor time, of all servers and the worker."""
        processes = [psutil.Process(editor.process.pid) for editor in self.editors]
        if worker := self.worker():
            processes.append(worker)
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def asked(self) -> int:
        """Completion requests so far."""
        return sum(len(editor.asked) for editor in self.editors)

    def worker(self) -> psutil.Process | None:
        """The worker process that lives now."""
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
        if worker := self.worker():
            worker.kill()

    async def _type(self, editor: Editor, until: float, chaos: bool) -> None:
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

    async def _kill(self, until: float) -> None:
        """The worker every few seconds, every third time an editor's server as well."""
        period = min(KILL_S, (until - time.monotonic()) / 4)
        while time.monotonic() + period < until:
            await asyncio.sleep(period)
            if worker := self.worker():
                worker.send_signal(signal.SIGKILL)
                self.worker_kills += 1
            if self.worker_kills % 3 == 1:
                number = self.rng.randrange(1, len(self.editors))
                killed = self.editors[number]
                await killed.kill()
                self.account(killed)
                self.gone += killed.kinds
                self.editors[number] = self._editor(number)
                await self.editors[number].start()
