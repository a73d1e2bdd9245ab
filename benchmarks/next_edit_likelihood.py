"""Does the denoiser know where the next edit is? Lines are scored before and after an edit; those that have
become unlikely are filled anew.

    python -m benchmarks.next_edit_likelihood CHAINS [--cases N] [--model FOLDER] [--json FILE]

CHAINS is a file of `benchmarks.edit_chains`. Asked where the rules are silent, in Python: the lines near the
last edit and those that share its words compete as `original` with what the model would write there, in the
text as it was before that edit and as it is after. The line whose chance fell most is the target, and what
the model prefers there is the edit. Prints, for each least fall of the chance, what would be shown. The model
runs in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.contenders import InProcess
from evaluation.next_edits import Chain, given_places, judge, played, read, remaining
from lsp_server.actions.action_request import ActionRequest
from lsp_server.config.settings import Settings
from lsp_server.infilling import pipeline
from lsp_server.infilling.hole import Hole
from lsp_server.next_edit import filters, rules
from lsp_server.text.buffer import Buffer
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.lines import indentation, line_at
from lsp_server.text.syntax import Parses, parse
from model_runtime.protocol import Done

NEAR = 4  # lines on either side of the last edit
MOST = 6  # lines that are scored
FALLS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_NAME = re.compile(r"[^\W\d]\w\w+")


@dataclass(frozen=True)
class Found:
    wanted: bool
    fall: float  # of the chance that the line is right as it is
    useful: bool
    ms: float


async def measure(chains: list[Chain], cases: int, model: str) -> list[Found]:
    from model_runtime.inference.engine import load_engine
    from model_runtime.protocol import Choice

    worker = InProcess(load_engine(Choice(model=model)).run)
    found: list[Found] = []
    asked = 0
    for chain in chains:
        for given in given_places(chain):
            document, history, cursor = played(chain, given)
            snapshot = document.snapshot(cursor[0])
            if not isinstance(rules.suggest(snapshot, 0, history, Parses()), Refusal):
                continue
            asked += 1
            began = time.process_time()
            best = await _best(worker, chain, given, document, snapshot)
            ms = 1000 * (time.process_time() - began)
            language = by_id(chain.language)
            syntax = parse(snapshot.text, language) if language else None
            if best and filters.objection(snapshot, best[1], 0, history, syntax) is None:
                useful = judge(snapshot, best[1], remaining(chain, given)) > 0
                found.append(Found(given < len(chain.hunks), best[0], useful, ms))
            else:
                found.append(Found(given < len(chain.hunks), -1.0, False, ms))
            if asked == cases:
                return found
    return found


async def _best(
    worker: InProcess, chain: Chain, given: int, document: Buffer, snapshot: Snapshot
) -> tuple[float, Edit] | None:
    """The line whose chance fell most, and what the model prefers there."""
    line, old, new = chain.hunks[given - 1]
    first = line + sum(len(b) - len(a) for _, a, b in chain.hunks[: given - 1])
    earlier = played(chain, given - 1)[0]
    changed = set(_NAME.findall("\n".join(old))) ^ set(_NAME.findall("\n".join(new)))
    last, moved = first + len(new), len(new) - len(old)
    near = [*range(first - NEAR, first), *range(last, last + NEAR)]
    sharing = [
        number
        for number in range(document.line_count)
        if not first <= number < last and changed & set(_NAME.findall(document.line(number)))
    ]
    sharing.sort(key=lambda number: abs(number - first))
    best = None
    for number in list(dict.fromkeys([*sharing[: MOST // 2], *near]))[:MOST]:
        if not 0 <= number < document.line_count or not document.line(number).strip():
            continue
        was = await _asked(worker, earlier, number - moved * (number >= last))
        now = await _asked(worker, document, number)
        if was is None or now is None or now[1] == document.line(number).strip():
            continue
        fall = was[0] - now[0]
        if best is None or fall > best[0]:
            span = _span(snapshot, number)
            text = now[1]
            edit = Edit(snapshot.uri, snapshot.version, span, text, 1.0, 1, 0.0, ("likelihood",))
            best = fall, edit
    return best


def _span(snapshot: Snapshot, number: int) -> Span:
    """A line of the document without its indentation."""
    start = 0
    for _ in range(number - snapshot.first_line):
        start = snapshot.text.index("\n", start) + 1
    line = line_at(snapshot.text, start)
    return Span(start + len(indentation(snapshot.text[line.start : line.end])), line.end)


async def _asked(worker: InProcess, document: Buffer, number: int) -> tuple[float, str] | None:
    """The chance that a line is right as it is, and what the model finds likeliest there."""
    snapshot = document.snapshot(number)
    span = _span(snapshot, number)
    written = snapshot.text[span.start : span.end]
    request = ActionRequest(worker, lambda message, done: None, original=written)
    hole = Hole(span, "whole-line", 32)
    answer = await pipeline.ask(snapshot, [hole], request, Settings(deadline_ms=None))
    if not isinstance(answer, Done):
        return None
    chances = {answer.texts[0].strip(): answer.confidence}
    for each in answer.alternatives:
        chances.setdefault(each.texts[0].strip(), each.confidence)
    return chances.get(written.strip(), 0.0), answer.texts[0].strip()


def summary(found: list[Found]) -> dict[str, Any]:
    positives = [each for each in found if each.wanted]
    rows = []
    for fall in FALLS:
        shown = [each for each in found if each.fall > fall]
        wanted = [each for each in shown if each.wanted]
        useful = sum(each.useful for each in wanted)
        rows.append(
            {"fall": fall, "shown": len(wanted), "useful": useful, "at_negatives": len(shown) - len(wanted)}
        )
    times = sorted(each.ms for each in found)
    return {
        "positives": len(positives),
        "negatives": len(found) - len(positives),
        "rows": rows,
        "p50_processor_ms": round(times[len(times) // 2]) if times else None,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.next_edit_likelihood", description=__doc__)
    parser.add_argument("chains", type=Path)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    chains = [chain for chain in read(args.chains) if chain.language == "python" and len(chain.hunks) > 1]
    result = summary(
        asyncio.run(measure(chains[:: max(1, len(chains) // args.cases)], args.cases, args.model))
    )
    print(json.dumps(result, indent=1))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
