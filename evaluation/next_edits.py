"""How good are next edits? An author's changes of a file are made one after another, and the server is asked.

A *chain* is what an author changed in one file in one commit, place by place. In a *positive* the first
places have been changed and others are still to come; in a *negative* all have been, so that any suggestion
is a nuisance. The places are typed into a document line by line, top to bottom, with a pause between them.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from evaluation.places import DataError
from lsp_server.next_edit import rules
from lsp_server.next_edit.changes import tokens
from lsp_server.next_edit.history import EditHistory
from lsp_server.text.buffer import Buffer
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.syntax import Parses

PAUSE_S = 10.0  # between two places

Hunk = tuple[int, Sequence[str], Sequence[str]]  # line in the old text, from 0; old lines; new lines


@dataclass(frozen=True)
class Chain:
    project: str
    path: str
    language: str
    text: str
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True)
class Outcome:
    """What was answered at one place."""

    project: str
    language: str
    lane: str  # who answered; empty: nobody
    confidence: float
    useful: bool  # the author made just that change
    whole: bool  # and nothing more in these lines
    ms: float  # of processor time: the lane waits for nothing
    wanted: bool  # a positive
    count: int = 0  # edits that were offered at once
    made: int = 0  # of them, those that the author made


def read(path: Path) -> list[Chain]:
    """Raises DataError."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        return [_chain(json.loads(line)) for line in text.splitlines() if line.strip()]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds no chains of edits ({error}); see benchmarks/edit_chains.py") from None


def _chain(raw: dict[str, Any]) -> Chain:
    hunks = tuple((line, tuple(old), tuple(new)) for line, old, new in raw["hunks"])
    return Chain(raw["project"], raw["path"], raw["language"], raw["text"], hunks)


def measure(chains: Iterable[Chain], progress: Callable[[], None] = lambda: None) -> list[Outcome]:
    """A positive of each chain that has more than one place, after a number of them that is drawn by its
    path, and a negative of each."""
    outcomes = []
    for chain in chains:
        outcomes += [_ask(chain, given) for given in given_places(chain)]
        progress()
    return outcomes


def given_places(chain: Chain) -> tuple[int, ...]:
    """After how many places the server is asked."""
    count = len(chain.hunks)
    drawn = random.Random(f"{chain.project}{chain.path}{count}")
    return (drawn.randint(1, count - 1), count) if count > 1 else (count,)


def _ask(chain: Chain, given: int) -> Outcome:
    document, history, cursor = played(chain, given)
    snapshot = document.snapshot(cursor[0])
    at = _offset(snapshot, *cursor)
    began = time.thread_time()
    answer = rules.suggest(snapshot, at, history, Parses())
    ms = 1000 * (time.thread_time() - began)
    wanted = given < len(chain.hunks)
    if isinstance(answer, Refusal):
        return Outcome(chain.project, chain.language, "", 0.0, False, False, ms, wanted)
    left = remaining(chain, given)
    judged = [judge(snapshot, each, left) for each in answer]
    first = answer[0]
    return Outcome(
        chain.project,
        chain.language,
        first.sources[0],
        first.confidence,
        judged[0] > 0,
        judged[0] > 1,
        ms,
        wanted,
        len(judged),
        sum(each > 0 for each in judged),
    )


def played(chain: Chain, given: int) -> tuple[Buffer, EditHistory, tuple[int, int]]:
    """The document and its history after the first places, and where the cursor is: behind the last."""
    uri = "file:///" + chain.path
    document, history, now = Buffer(uri, 1, chain.language, chain.text), EditHistory(), 0.0
    moved, cursor = 0, (0, 0)

    def change(start: tuple[int, int], end: tuple[int, int], new: str) -> None:
        history.change(uri, start, end, new, document.line, now)
        document.replace(start, end, new, "utf-32")

    for line, old, new in chain.hunks[:given]:
        at, now = line + moved, now + PAUSE_S
        shared = min(len(old), len(new))
        for number in range(shared):
            left, right = _differing(old[number], new[number])
            if old[number] != new[number]:
                inserted = new[number][left : len(new[number]) - right]
                change((at + number, left), (at + number, len(old[number]) - right), inserted)
        for number in range(shared, len(new)):
            if at + number < document.line_count:
                change((at + number, 0), (at + number, 0), new[number] + "\n")
        if len(old) > shared:
            change((at + shared, 0), (at + len(old), 0), "")
        moved += len(new) - len(old)
        cursor = (at + max(0, len(new) - 1), len(new[-1]) if new else 0)
    return document, history, cursor


def remaining(chain: Chain, given: int) -> list[Hunk]:
    """The places that are still to come, where they are in the text now."""
    moved = sum(len(new) - len(old) for _, old, new in chain.hunks[:given])
    return [(line + moved, old, new) for line, old, new in chain.hunks[given:]]


def judge(snapshot: Snapshot, edit: Edit, left: Sequence[Hunk]) -> int:
    """2: the author changed these lines to just that; 1: the author made that change and others beside it
    in these lines; 0: the author did not make it. Counted in words."""
    text = snapshot.text
    start, end = edit.span.start, edit.span.end
    first = snapshot.first_line + text.count("\n", 0, start)
    last = first + text.count("\n", start, end)
    for line, old, new in left:
        if not (line <= first and last < line + max(1, len(old))):
            continue
        lines = text.split("\n")
        top = line - snapshot.first_line
        head = sum(len(each) + 1 for each in lines[:top])
        now = "\n".join(lines[top : top + len(old)])
        then = now[: start - head] + edit.text + now[end - head :]
        if not old:  # whole lines are added, with the end of the last
            then = then.removesuffix("\n")
        was, made, goal = (tokens(each) for each in (now, then, "\n".join(new)))
        after = Levenshtein.distance(made, goal)
        if after == 0:
            return 2
        gained = Levenshtein.distance(was, goal) - after
        return int(gained > 0 and gained == Levenshtein.distance(was, made))
    return 0


def table(outcomes: Sequence[Outcome]) -> tuple[dict[str, Any], str]:
    """Figures by language and by lane, and the same as Markdown."""
    rows = [("all", list(outcomes))]
    rows += [(name, [each for each in outcomes if each.language == name]) for name in _names(outcomes)]
    figures = {name: _figures(some) for name, some in rows}
    lanes = dict.fromkeys(each.lane for each in outcomes if each.lane)
    by_lane = {lane: _of_lane([each for each in outcomes if each.lane == lane]) for lane in lanes}
    columns = ["positives", "fired", "useful of fired", "whole lines of fired", "wrong of positives"]
    columns += ["negatives", "silent on negatives", "p50 ms", "p90 ms"]
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, it in figures.items():
        cells = [it["positives"], _percent(it["fired"], it["positives"]), _percent(it["useful"], it["fired"])]
        cells += [_percent(it["whole"], it["fired"]), _percent(it["wrong"], it["positives"]), it["negatives"]]
        cells += [_percent(it["silent"], it["negatives"]), it["p50_ms"], it["p90_ms"]]
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "| rule | shown at positives | useful | shown at negatives | offered at once | of them made |",
    ]
    lines.append("|---|" + "---|" * 5)
    for lane, it in by_lane.items():
        cells = [it["shown"], _percent(it["useful"], it["shown"]), it["at_negatives"], it["offered"]]
        lines.append(
            f"| {lane} | " + " | ".join(map(str, [*cells, _percent(it["made"], it["offered"])])) + " |"
        )
    return {"rows": figures, "lanes": by_lane}, "\n".join(lines)


def _names(outcomes: Sequence[Outcome]) -> Iterator[str]:
    return iter(dict.fromkeys(each.language for each in outcomes))


def _figures(some: Sequence[Outcome]) -> dict[str, Any]:
    positives = [each for each in some if each.wanted]
    negatives = [each for each in some if not each.wanted]
    fired = [each for each in positives if each.lane]
    times = sorted(each.ms for each in some)
    return {
        "positives": len(positives),
        "fired": len(fired),
        "useful": sum(each.useful for each in fired),
        "whole": sum(each.whole for each in fired),
        "wrong": sum(not each.useful for each in fired),
        "negatives": len(negatives),
        "silent": sum(not each.lane for each in negatives),
        "p50_ms": round(times[len(times) // 2], 1) if times else None,
        "p90_ms": round(times[len(times) * 9 // 10], 1) if times else None,
    }


def _of_lane(some: Sequence[Outcome]) -> dict[str, int]:
    positives = [each for each in some if each.wanted]
    return {
        "shown": len(positives),
        "useful": sum(each.useful for each in positives),
        "at_negatives": len(some) - len(positives),
        "offered": sum(each.count for each in positives),
        "made": sum(each.made for each in positives),
    }


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.0f}% ({count})" if of else "-"


def _differing(old: str, new: str) -> tuple[int, int]:
    """How many characters two lines begin and end with alike."""
    shorter = min(len(old), len(new))
    left = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    right = next((at for at in range(shorter - left) if old[-1 - at] != new[-1 - at]), shorter - left)
    return left, right


def _offset(snapshot: Snapshot, line: int, column: int) -> int:
    at = -1
    for _ in range(line - snapshot.first_line):
        at = snapshot.text.find("\n", at + 1)
    return min(len(snapshot.text), at + 1 + column)
