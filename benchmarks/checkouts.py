"""Processes that run a script in the packages of two checkouts, one question at a time, so that both meet
what else the machine does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Side:
    process: subprocess.Popen[str]

    @staticmethod
    def of(checkout: Path, script: Sequence[str]) -> Side:
        """`script`: its path and its arguments. It answers each line that it reads with a line of JSON."""
        environment = dict(os.environ, PYTHONPATH=str(checkout.resolve()))
        pipe = subprocess.PIPE
        command = [sys.executable, "-P", *script]
        return Side(subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe))

    def ask(self) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        print(file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def in_turns(other: Path, script: Sequence[str], times: int) -> dict[str, list[dict[str, Any]]]:
    """What the script answers in this checkout ("here") and in another ("there"), each asked so often."""
    sides: dict[str, Side] = {}
    told: dict[str, list[dict[str, Any]]] = {"here": [], "there": []}
    try:
        for name, folder in {"here": Path(__file__).parent.parent, "there": other}.items():
            sides[name] = Side.of(folder, script)
        for _ in range(times):
            for name, side in sides.items():
                told[name].append(side.ask())
    finally:
        for side in sides.values():
            side.close()
    return told
