"""A floor under how good the suggestions are: a change that lowers it by more than the noise fails.

    python -m benchmarks.floor measure              # make the baseline again, after a change for the better
    python -m benchmarks.floor cut --data FOLDER    # cut the sample again; benchmarks.projects makes FOLDER

`data/floor.tar.gz` is a small folder as `benchmarks.projects` makes it: two development projects and some of
their holes. `data/floor.json` has what became of each hole. The engine runs in this process and without a
deadline, so that a slow machine changes nothing; everything before it is as an editor has it.

The comparison is paired, hole by hole, in two numbers: exact answers (+1, -1 or 0 for each hole), and how
right what is shown is. For the latter a shown answer counts 1 - p if it is right and -p if not, where p is
the baseline's share of right ones: the baseline sums to 0, and the sum is negative where fewer are right.
The sum of the differences falls below the noise when it is under -2 of its own standard errors if nothing had
changed, sqrt(sum of squares): McNemar's test, one-sided, at about 2.5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import io
import json
import math
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import holes
from evaluation import hole_set
from evaluation.run import Findings, measure
from evaluation.scores import Outcome
from evaluation.selection import select
from lsp_server.config.settings import Settings
from model_runtime.network import threads

SAMPLE = Path(__file__).parent / "data" / "floor.tar.gz"
BASELINE = Path(__file__).parent / "data" / "floor.json"
PROJECTS = ("click", "requests")
COUNT = 20  # holes of each kind
ERRORS = 2.0  # standard errors that are still noise
SPLIT, LANGUAGE = "dev", "python"
CONTENDER = "engine"


@dataclass(frozen=True)
class Result:
    """What became of one hole."""

    exact: bool
    shown: bool


def cut(data: Path) -> None:
    """Pack the projects with their first holes of each kind."""
    projects = data / SPLIT / LANGUAGE
    stored = gzip.decompress((projects.with_name(f"{LANGUAGE}.jsonl.gz")).read_bytes()).splitlines()
    taken: dict[str, list[bytes]] = {}
    for line in stored:
        place = json.loads(line)
        of_kind = taken.setdefault(place["kind"], [])
        if place["project"] in PROJECTS and len(of_kind) < COUNT:
            of_kind.append(line)
    texts = {
        f"{SPLIT}/{LANGUAGE}/{name}/{file.path}": file.text.encode()
        for name in PROJECTS
        for file in holes.read_files(projects / name, LANGUAGE)
    }
    lines = b"".join(line + b"\n" for of_kind in taken.values() for line in of_kind)
    texts[f"{SPLIT}/{LANGUAGE}.jsonl.gz"] = gzip.compress(lines, mtime=0)
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path, text in sorted(texts.items()):
            member = tarfile.TarInfo(path)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    SAMPLE.write_bytes(packed.getvalue())


def results() -> dict[str, Result]:
    """What becomes of each hole of the sample now, by place."""
    threads.configure()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SAMPLE) as archive:
            archive.extractall(folder, filter="data")
        places = hole_set.read(Path(folder), SPLIT, LANGUAGE)
        settings, findings = replace(Settings(), device="cpu"), Findings()
        contenders, _ = select(settings, [CONTENDER], None)
        asyncio.run(measure(places, contenders, settings, findings))
    threshold = settings.confidence_threshold
    ordered = sorted(places, key=lambda place: (str(place.project), place.path))  # as `measure` asks
    names = [f"{place.name}:{len(place.before)} {place.kind}" for place in ordered]
    return {name: _result(outcome, threshold) for name, outcome in zip(names, findings.outcomes, strict=True)}


def _result(outcome: Outcome, threshold: float) -> Result:
    answer = outcome.answer
    shown = answer.allowed and not answer.reason and answer.confidence >= threshold
    return Result(outcome.exact, shown)


def precision(found: Sequence[Result]) -> float:
    """The share of right ones among the shown; 0 where nothing is shown."""
    shown = [each.exact for each in found if each.shown]
    return sum(shown) / len(shown) if shown else 0.0


def fell(differences: Sequence[float]) -> bool:
    """Whether the sum is further below zero than noise explains."""
    return sum(differences) < -ERRORS * math.sqrt(sum(each**2 for each in differences))


def compared(before: dict[str, Result], now: dict[str, Result]) -> list[str]:
    """A line for each of the two numbers that fell. Both are of the same holes."""
    pairs = [(before[name], now[name]) for name in before]
    p = precision([one for one, _ in pairs])

    def worth(one: Result) -> float:
        return one.shown * (one.exact - p)

    exact = [float(two.exact) - float(one.exact) for one, two in pairs]
    right = [worth(two) - worth(one) for one, two in pairs]
    return [
        f"{name} fell by more than the noise: {said}"
        for name, differences, said in (
            ("exact match", exact, f"{exact.count(-1)} holes lost, {exact.count(1)} won, of {len(pairs)}"),
            ("precision", right, f"{p:.0%} to {precision([two for _, two in pairs]):.0%} of what is shown"),
        )
        if fell(differences)
    ]


def read(path: Path = BASELINE) -> dict[str, Result]:
    return {name: Result(*found) for name, found in json.loads(path.read_text("utf-8")).items()}


def write(found: dict[str, Result], path: Path = BASELINE) -> None:
    lines = (
        f"{json.dumps(name)}: {json.dumps([each.exact, each.shown])}" for name, each in sorted(found.items())
    )
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("measure")
    commands.add_parser("cut").add_argument("--data", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "cut":
        cut(options.data)
        return 0
    found = results()
    write(found)
    of = [each for each in found.values() if each.shown]
    exact = sum(each.exact for each in found.values())
    print(f"{len(found)} holes, {exact} exactly right; {len(of)} shown, {precision(of):.0%} of these right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
