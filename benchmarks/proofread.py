"""Does proofreading find planted mistakes? Lines of held-out projects, one word of each altered.

    python -m benchmarks.proofread [--lines N] [--model FOLDER] [--served] [--json FILE]

Three kinds of alteration: two letters swapped, another name from the lines above, another operator. The
selection is the altered line alone. Whatever else is marked in it counts as wrong, although the planted word
may make its neighbours unlikely too. What is marked in the unaltered lines is reported as well. The model
runs in this process; with `--served` no more is known of it than of one on a vLLM server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation import places
from evaluation.contenders import InProcess
from lsp_server.actions import actions
from lsp_server.actions.proofread import DoubtfulWord
from lsp_server.config.settings import Settings
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses

DATA = Path(__file__).parent / "data" / "held-out.jsonl.gz"
NEAR = 1_500  # characters above, from which another name is taken
_NAME = re.compile(r"[A-Za-z_]\w{2,}")
_OPERATORS = {"==": "!=", "!=": "==", "<": ">", ">": "<", "+": "-", "-": "+", "and": "or", "or": "and"}
_OPERATOR = re.compile(r"==|!=|<(?![=<])|(?<![->])>(?![=>])|(?<= )[-+](?= )|\b(?:and|or)\b")


@dataclass(frozen=True)
class Planted:
    kind: str
    text: str
    line: Span
    word: Span
    right: str

    @property
    def unaltered(self) -> tuple[str, Span]:
        text = self.text[: self.word.start] + self.right + self.text[self.word.end :]
        return text, Span(self.line.start, self.line.end + len(text) - len(self.text))


def planted(found: list[places.Place], seed: int) -> Iterator[Planted]:
    """One alteration for each place whose line has room for one."""
    rng = random.Random(seed)
    for place in found:
        text = place.before + (place.middle or "") + place.after
        at = len(place.before)
        line = Span(text.rfind("\n", 0, at) + 1, text.find("\n", at))
        kinds = ["letters", "name", "operator"]
        rng.shuffle(kinds)
        made = (made for kind in kinds if (made := _altered(kind, text, line, rng)))
        if one := next(made, None):
            yield one


def _altered(kind: str, text: str, line: Span, rng: random.Random) -> Planted | None:
    pattern = _OPERATOR if kind == "operator" else _NAME
    words = list(pattern.finditer(text, line.start, line.end))
    rng.shuffle(words)
    for word in words:
        old = word[0]
        if kind == "operator":
            new = _OPERATORS[old]
        elif kind == "name":
            names = sorted(set(_NAME.findall(text[max(0, line.start - NEAR) : line.start])) - {old})
            new = rng.choice(names) if names else old
        else:
            i = rng.randrange(len(old) - 1)
            new = old[:i] + old[i + 1] + old[i] + old[i + 2 :]
        if new != old:
            altered = text[: word.start()] + new + text[word.end() :]
            grown = len(new) - len(old)
            where = Span(word.start(), word.start() + len(new))
            return Planted(kind, altered, Span(line.start, line.end + grown), where, old)
    return None


async def measure(model: str, lines: int, seed: int, as_served: bool = False) -> dict[str, object]:
    from model_runtime.inference.engine import load_engine
    from model_runtime.protocol import Choice
    from model_runtime.training import served

    engine = load_engine(Choice(model=model))
    worker = InProcess((served.engine(engine) if as_served else engine).run)
    settings = Settings()
    drawn = places.chosen(places.read(DATA), None, seed)
    random.Random(seed).shuffle(drawn)
    tried, hit, mended, marked, clean, times = Counter(), Counter(), Counter(), 0, 0, []

    async def read(text: str, line: Span) -> list[DoubtfulWord] | Refusal:
        snapshot = Snapshot("file:///planted.py", 0, "python", text)
        return await actions.proofread(
            snapshot, line, worker, settings, Parses(), lambda message, done: None, lambda piece, words: True
        )

    for case in planted(drawn, seed):
        started = time.perf_counter()
        doubts = await read(case.text, case.line)
        if isinstance(doubts, Refusal):
            continue
        times.append((time.perf_counter() - started) * 1000)
        tried[case.kind] += 1
        marked += len(doubts)
        before = await read(*case.unaltered)
        clean += len(before) if isinstance(before, list) else 0
        for doubt in doubts:
            if doubt.span.start <= case.word.start and case.word.end <= doubt.span.end:
                hit[case.kind] += 1
                mended[case.kind] += doubt.text == case.right
        if sum(tried.values()) == lines:
            break
    return {
        "lines": sum(tried.values()),
        "marked": marked,
        "marked_before_altering": clean,
        "precision": sum(hit.values()) / max(1, marked),
        "found": {kind: [hit[kind], of] for kind, of in sorted(tried.items())},
        "mended": {kind: mended[kind] for kind in sorted(tried)},
        "p50_ms_a_line": statistics.median(times) if times else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proofread")
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--served", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = asyncio.run(measure(options.model, options.lines, options.seed, options.served))
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
