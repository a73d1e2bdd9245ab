"""Holes cut from held-out projects, to calibrate the model on and to measure it by.

A hole is kept as text (before, middle, after), so that a file of holes can be put to any contender. Long
context is cut between statements, so that it still parses (see `scaffold`).
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model_runtime.training.corpus import Document
from model_runtime.training.holes import CUTTERS, HoleCut, Kind, cut_hole

LONGEST = 160  # characters of a middle
INDENT = 4


@dataclass(frozen=True)
class HeldHole:
    kind: Kind
    project: str
    licence: str
    path: str
    before: str
    middle: str
    after: str
    context: tuple[str, ...] = ()  # pieces of the project's other files, as the server would send them


def _sampled(documents: Sequence[Document], kind: Kind, seed: int) -> Iterator[tuple[Document, str, HoleCut]]:
    rng = random.Random(f"{seed}/{kind}")
    while True:
        document = rng.choice(documents)
        text = document.text.removesuffix("\n")
        lines = text.split("\n")
        cut = cut_hole(lines, rng.randrange(len(lines)), rng, kind)
        if cut and len(cut.middle) < LONGEST:
            yield document, text, cut


def holes(
    documents: Sequence[Document], count: int, seed: int = 0, before: int = 24_000, after: int = 24_000
) -> Iterator[HeldHole]:
    """`count` of each kind, with at most that many characters of context; repeatable for a seed."""
    for kind in CUTTERS:
        found = 0
        for document, text, cut in _sampled(documents, kind, seed):
            hole = shortened(whole(document, text, cut), before, after)
            if hole is not None:
                yield hole
                found += 1
            if found == count:
                break


def whole(document: Document, text: str, cut: HoleCut) -> HeldHole:
    """The hole with all of the file around it; `cut` was made in the lines of `text`."""
    lines = text.split("\n")
    before = "".join(line + "\n" for line in lines[: cut.line]) + cut.head
    after = "\n".join([cut.tail, *lines[cut.next_line :]]) + "\n"
    return HeldHole(cut.kind, document.project, document.licence, document.path, before, cut.middle, after)


def shortened(hole: HeldHole, before: int, after: int) -> HeldHole | None:
    """The hole with at most so many characters of context, which still parses; None if that cannot be."""
    text = hole.before + hole.middle + hole.after
    tree = parsed(text)
    if tree is None:
        return None
    if len(hole.before) <= before and len(hole.after) <= after:
        return hole
    starts = [0]  # of lines
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    at = sorted({starts[line - 1] for line in _statements(tree)} | {0, len(text)})
    begin, end = len(hole.before), len(hole.before) + len(hole.middle)
    firsts = [a for a in at if begin - before <= a <= begin]
    lasts = [a for a in reversed(at) if end <= a <= end + after]
    for last in lasts[:12]:
        for first in firsts[:12]:
            if parsed(scaffold(text[first:last]) + text[first:last]) is not None:
                return replace(hole, before=text[first:begin], after=text[end:last])
    return None


def _statements(tree: ast.Module) -> Iterator[int]:
    """The lines, from 1, on which statements start, their decorators included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            decorators = getattr(node, "decorator_list", [])
            yield min([node.lineno, *(each.lineno for each in decorators)])


def scaffold(text: str) -> str:
    """Block openers that make a text which starts inside blocks a module: `if 1:` at each level."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    depth = len(first) - len(first.lstrip(" "))
    return "".join(" " * level + "if 1:\n" for level in range(0, depth, INDENT))


def parsed(text: str) -> ast.Module | None:
    """None where it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes and the like: it is not our code
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read(path: Path) -> list[HeldHole]:
    """The holes of a file that `write` has written."""
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    records = (json.loads(line) for line in lines)
    return [HeldHole(**{**record, "context": tuple(record.get("context", ()))}) for record in records]


def write(path: Path, records: Iterable[object]) -> int:
    """Write dataclasses as JSON lines, the same bytes for the same records; how many there were. A file whose
    name ends in .gz is compressed."""
    lines = [json.dumps(asdict(record), ensure_ascii=False) for record in records]  # type: ignore[call-overload]
    data = "".join(line + "\n" for line in lines).encode()
    if path.suffix == ".gz":
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as out:
            out.write(data)
        data = packed.getvalue()
    path.write_bytes(data)
    return len(lines)
