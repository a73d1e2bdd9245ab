"""Fit the re-ranker on development holes cut in whole projects.

    python -m benchmarks.ranking collect --data FOLDER --out FILE [--served] [--lines | --typed]
                                         [--limit N] [--part I/N]
    python -m benchmarks.ranking fit FILE [FILE ...] --out FILE [--precision P]

FOLDER is made by `benchmarks.projects`. `collect` has the engine fill every hole with the other files of its
project at hand, and writes what it scored (with `--served`, what it would score on a vLLM server; with
`--lines`, in holes of several lines and no others; with `--typed`, at ends of lines where a name is half
typed, and no others): one JSON object a line with every candidate, its scores,
and whether it is exactly what was missing. Of the file that a hole is in, only the other lines are at hand.

`fit` writes the weights of all holes. It also says how good weights are that were fitted on the other
projects: how often the first candidate is right, how far its confidence is off, and from which confidence on
P of what is shown is right in every kind of hole.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from benchmarks import holes
from benchmarks.holes import Hole
from benchmarks.projects import SUFFIXES
from lsp_server.context import snippet_retrieval
from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.interface import BranchScore
from model_runtime.inference.engine import Engine, load_engine
from model_runtime.network import threads
from model_runtime.protocol import Choice, Fixed, Infill, Slot, Texts
from model_runtime.retrieval import reranker
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.reranker import Candidate
from model_runtime.training import calibrate, served
from model_runtime.training.calibrate import SLOT, Outcome

SIMILAR = 5_000  # characters of other files in a request, as `lsp_server.context.gather` has them
PREFIX, SUFFIX_LINES = 8_000, 40
LINES = 16  # most of a fill, as `evaluation` asks
WITHIN_NAME = "within-name"  # a kind of its own in what is reported
FOLDS = 5  # parts of the projects, each judged by weights of the others


def request(hole: Hole, context: Sequence[str]) -> Infill:
    """What the server would ask there."""
    start = hole.before.rfind("\n") + 1
    suffix = "".join(hole.after[:4_000].splitlines(keepends=True)[: SUFFIX_LINES + 1])
    pieces = (Fixed(hole.before[start:]), Slot(SLOT[hole.kind]), Fixed(suffix or "\n"))
    return Infill(
        id=0,
        document="",
        prefix=hole.before[:start][-PREFIX:],
        canvas=tuple(piece for piece in pieces if piece != Fixed("")),
        context=tuple(context),
        workspace=hole.project,
        language=hole.language,
        lines=LINES if hole.kind == "lines" else 1,
    )


def around(hole: Hole) -> str:
    """The rest of the hole's own file, as the server last read it: without the line that is being written."""
    return hole.before[: hole.before.rfind("\n") + 1] + hole.after.partition("\n")[2]


def similar(hole: Hole, files: dict[str, str]) -> list[str]:
    """Pieces of the files beside the hole's that go on like it, the best last."""
    folder = hole.path.rpartition("/")[0]
    beside = [(k, t) for k, t in files.items() if k != hole.path and k.rpartition("/")[0] == folder]
    kept, room = [], SIMILAR
    reach = hole.before[-snippet_retrieval.REACH :]
    for which, text in reversed(snippet_retrieval.pieces(reach, [text for _, text in beside])):
        piece = f"# {beside[which][0]}\n{text}\n"
        room -= len(piece)
        if room >= 0:
            kept.append(piece)
    return kept[::-1]


def opened(
    found: Sequence[Hole], data: Path, split: str, library: Library | None = None
) -> Iterator[tuple[Hole, dict[str, str]]]:
    """Each hole with its project's files; those of a project and of a file stand together. `library` has
    them when a hole comes, of the hole's own file what is `around` it."""
    for project, of_project in groupby(found, key=lambda hole: hole.project):
        language = found[0].language
        read = holes.read_files(data / split / language / project, language)
        files = {file.path: file.text for file in read}
        if library is None:
            yield from ((hole, files) for hole in of_project)
            continue
        library.put("", Texts(project, language, files, renewed=True))
        for path, of_file in groupby(of_project, key=lambda hole: hole.path):
            for hole in of_file:
                library.put("", Texts(project, language, {path: around(hole)}))
                while library.work(1.0):
                    pass
                yield hole, files
            library.put("", Texts(project, language, {path: files[path]}))


def collected(engine: Engine, found: Sequence[Hole], data: Path, split: str) -> Iterator[dict[str, Any]]:
    """One record for each hole that the engine ranked candidates for."""
    noted: list[tuple[list[Candidate], list[BranchScore]]] = []
    engine.on_scored = lambda candidates, scores: noted.append((candidates, scores))
    library = Library()
    engine.use(library)
    ordered = sorted(found, key=lambda hole: (hole.project, hole.path))
    for hole, files in opened(ordered, data, split, library):
        noted.clear()
        with suppress(Unfillable):  # nothing to rank
            engine.run(request(hole, similar(hole, files)))
        for candidates, scores in noted:
            yield _record(hole, candidates, scores)


def _record(hole: Hole, candidates: Sequence[Candidate], scores: Sequence[BranchScore]) -> dict[str, Any]:
    return {
        "kind": WITHIN_NAME if holes.is_within_name(hole) else hole.kind,
        "project": hole.project,
        "path": hole.path,
        "before": hole.before[-200:],
        "middle": hole.middle,
        "after": hole.after[:200],
        "candidates": [asdict(c) | {"sources": sorted(c.sources)} for c in candidates],
        "scores": [[list(s.ids), list(s.after)] for s in scores],
        "right": [c.text.rstrip() == hole.middle.rstrip() for c in candidates],
    }


@dataclass(frozen=True)
class Ranked:
    """The candidates of one hole, as `collect` wrote them."""

    kind: str
    project: str
    choice: calibrate.Choice


def read(path: Path) -> Iterator[Ranked]:
    with path.open("rb") as lines:
        for line in lines:
            record = msgspec.json.decode(line)
            yield Ranked(record["kind"], record["project"], choice(record))


def choice(record: dict[str, Any]) -> calibrate.Choice:
    found = [msgspec.convert(each, Candidate) for each in record["candidates"]]
    scores = [BranchScore(*each) for each in record["scores"]]
    return calibrate.Choice(reranker.features(found, scores), record["right"])


def judged(found: Sequence[Ranked]) -> dict[str, list[Outcome]]:
    """By kind: how sure the first candidate was, and whether it was right, by weights of other projects."""
    outcomes: dict[str, list[Outcome]] = {}
    projects = sorted({each.project for each in found})
    for fold in filter(None, (projects[n::FOLDS] for n in range(FOLDS))):
        fitted = calibrate.fitted([each.choice for each in found if each.project not in fold])
        for each in (each for each in found if each.project in fold):
            shares = fitted.shares(each.choice.rows)
            best = max(range(len(shares)), key=shares.__getitem__)
            outcomes.setdefault(each.kind, []).append(Outcome(shares[best], each.choice.right[best]))
    return outcomes


def largest_gap(outcomes: Sequence[Outcome], bins: int = 10) -> float:
    """Between the mean confidence and the share that is right, over bins of equal size."""
    ordered = sorted(outcomes, key=lambda o: o.confidence)
    cuts = [len(ordered) * i // bins for i in range(bins + 1)]
    parts = [ordered[i:j] for i, j in pairwise(cuts) if i < j]
    return max(abs(sum(o.confidence - o.right for o in part)) / len(part) for part in parts)


def report(found: Sequence[Ranked], precision: float) -> Iterator[str]:
    by_kind = judged(found)
    every = [outcome for outcomes in by_kind.values() for outcome in outcomes]
    level = max(calibrate.threshold(outcomes, precision) for outcomes in by_kind.values())
    projects = len({each.project for each in found})
    yield f"{len(every)} holes of {projects} projects, each judged by weights of the others"
    for kind, outcomes in [*sorted(by_kind.items()), ("all", every)]:
        n, right = len(outcomes), sum(o.right for o in outcomes)
        among = sum(any(each.choice.right) for each in found if kind in ("all", each.kind))
        shown = [o for o in outcomes if o.confidence >= level]
        good = sum(o.right for o in shown)
        yield (
            f"{kind:12} {n:5}  among the candidates {among / n:.1%}  first {right / n:.1%}  "
            f"shown {len(shown) / n:.1%}, of these right {good / max(1, len(shown)):.1%}"
        )
    yield f"{precision:.0%} of what is shown is right in every kind from a confidence of {level:.3f} on"
    yield f"largest gap between confidence and share right: {largest_gap(every):.3f}"


def wanted(options: argparse.Namespace) -> list[Hole]:
    found = holes.load(options.data, options.split, options.language)
    if options.typed:
        ends = (holes.within_name(hole) for hole in found if hole.kind == "end-of-line")
        return [hole for hole in ends if hole]
    return [hole for hole in found if (hole.kind == "lines") is options.lines]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking")
    commands = parser.add_subparsers(dest="command", required=True)
    collect = commands.add_parser("collect")
    collect.add_argument("--data", type=Path, required=True)
    collect.add_argument("--out", type=Path, required=True)
    collect.add_argument("--split", default="dev")
    collect.add_argument("--language", choices=list(SUFFIXES), default="python")
    collect.add_argument("--limit", type=int, help="holes in all")
    collect.add_argument("--part", default="0/1", help="I/N: every Nth hole, from the Ith")
    kinds = collect.add_mutually_exclusive_group()
    kinds.add_argument("--lines", action="store_true", help="holes of several lines, no others")
    kinds.add_argument("--typed", action="store_true", help="holes within names at ends of lines, no others")
    collect.add_argument("--served", action="store_true", help="with what a vLLM server tells, and no more")
    fit = commands.add_parser("fit")
    fit.add_argument("records", type=Path, nargs="+")
    fit.add_argument("--out", type=Path, required=True, help="the calibration to write")
    fit.add_argument("--precision", type=float, default=0.62)
    options = parser.parse_args(arguments)
    if options.command == "fit":
        records = [each for path in options.records for each in read(path)]
        fitted = calibrate.fitted([each.choice for each in records])
        calibrate.save(fitted, options.out.parent, options.out.name)
        print("\n".join(report(records, options.precision)))
        return 0
    threads.configure()
    part, parts = map(int, options.part.split("/"))
    found = wanted(options)[: options.limit][part::parts]
    engine = load_engine(Choice(device="cpu"))
    if options.served:
        engine = served.engine(engine)
    with options.out.open("wb") as out:
        for record in tqdm(collected(engine, found, options.data, options.split), total=len(found)):
            out.write(msgspec.json.encode(record) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
