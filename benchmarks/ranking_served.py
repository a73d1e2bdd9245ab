"""How much worse is the ranking where a vLLM server denoises? The same holes, with what is known either side.

    python -m benchmarks.ranking_served --here FILE [FILE ...] --served FILE [FILE ...] [--json FILE]

The files are records of `benchmarks.ranking collect`, without and with `--served`; holes that are in both are
compared. Cross-validated: each hole is ranked by weights that were fitted, for either side, on other files.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import ranking
from lsp_server.config.settings import Settings
from model_runtime.training import calibrate
from model_runtime.training.calibrate import Choice, Outcome

FOLDS = 4
Key = tuple[str, ...]  # project, path, kind and text around a hole


def read(paths: Iterable[Path]) -> dict[Key, Choice]:
    names = ("project", "path", "kind", "before", "middle", "after")
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    records = [msgspec.json.decode(line) for line in lines]
    return {tuple(each[name] for name in names): ranking.choice(each) for each in records}


def ranked(found: dict[Key, Choice]) -> dict[Key, Outcome]:
    """The first of each hole's candidates, judged by weights fitted on the holes of other files."""
    files = sorted({key[:2] for key in found})
    random.Random(0).shuffle(files)
    fold = {file: number % FOLDS for number, file in enumerate(files)}
    outcomes = {}
    for number in range(FOLDS):
        weights = calibrate.fitted([each for key, each in found.items() if fold[key[:2]] != number])
        for key, each in found.items():
            if fold[key[:2]] == number:
                share, right = max(
                    zip(weights.shares(each.rows), each.right, strict=True), key=lambda pair: pair[0]
                )
                outcomes[key] = Outcome(share, right)
    return outcomes


def summary(outcomes: list[Outcome], threshold: float) -> dict[str, Any]:
    shown = [each.right for each in outcomes if each.confidence >= threshold]
    return {
        "holes": len(outcomes),
        "exact": round(sum(each.right for each in outcomes) / len(outcomes), 4),
        "shown": len(shown),
        "right_if_shown": round(sum(shown) / len(shown), 4) if shown else None,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking_served")
    parser.add_argument("--here", type=Path, nargs="+", required=True)
    parser.add_argument("--served", type=Path, nargs="+", required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sides = {"here": read(options.here), "served": read(options.served)}
    both = sides["here"].keys() & sides["served"].keys()
    threshold = Settings().confidence_threshold
    result: dict[str, Any] = {"threshold": threshold, "holes": len(both)}
    for side, found in sides.items():
        outcomes = ranked({key: each for key, each in found.items() if key in both})
        kinds = sorted({key[2] for key in outcomes})
        result[side] = {
            kind: summary([o for key, o in outcomes.items() if key[2] == kind], threshold) for kind in kinds
        }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
