"""Places to ask about, and a contender with one answer, for the tests of the evaluator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation import sandbox, scores
from evaluation.answers import ask
from evaluation.places import Place, read
from lsp_server.config.settings import Settings
from model_runtime.protocol import Done, Draft, Infill, Refused, Texts
from tests.support.paths import ROOT

HELD_OUT = ROOT / "benchmarks" / "data" / "held-out.jsonl.gz"
QUIET = ROOT / "benchmarks" / "data" / "quiet.jsonl.gz"
ADD = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "entry_point": "add",
    "prompt": "def add(a, b):\n    total = ",
    "suffix": "\n    return total\n",
    "canonical_solution": "a + b",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def place(tmp_path: Path, **changes: Any) -> Place:
    return read(write(tmp_path / "one.jsonl", {**ADD, **changes}))[0]


class Says:
    """A contender with one answer to everything."""

    def __init__(self, text: str | None, confidence: float = 0.7) -> None:
        self.text, self.confidence, self.prepared, self.requests = text, confidence, 0, []
        self.texts: dict[str, str] = {}  # that it was told and is to know

    async def prepare(self, request: Infill) -> None:
        self.prepared += 1

    def tell(self, texts: Texts) -> None:
        for key in self.texts if texts.renewed else texts.gone:
            self.texts = {name: text for name, text in self.texts.items() if name != key}
        self.texts |= texts.texts

    async def indexed(self) -> None:
        pass

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        if self.text is None:
            return Refused(0, "failed", "no")
        return Done(0, (self.text,), self.confidence, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)


def judged(one: Place, text: str | None) -> scores.Outcome:
    contender = Says(text)
    answer = asyncio.run(ask(one, contender, Settings()))
    assert contender.prepared == len(contender.requests)
    return scores.judge(one, "c", answer, lambda program: sandbox.run(program).passed)
