"""Fit what the evidence for a repeated edit weighs, on chains of edits of dev projects.

    python -m benchmarks.fit_next_edits CHAINS

CHAINS is a file of `benchmarks.edit_chains`. Every place where a change could be repeated is one row, whether
the author changed it is its label. Prints the weights for `lsp_server/next_edit/evidence.py`, and, with each
project judged by weights that were fitted on the others, what each threshold would show.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.next_edits import Chain, given_places, judge, played, read, remaining
from lsp_server.next_edit import filters, repeats
from lsp_server.next_edit.evidence import Evidence
from lsp_server.text.document import Edit
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import parse

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7)
RIDGE = 1.0


@dataclass(frozen=True)
class Row:
    case: tuple[int, bool]  # number of the chain, and whether anything is still to come
    project: str
    evidence: Evidence
    made: bool


def rows(chains: list[Chain]) -> Iterator[Row]:
    for number, chain in enumerate(chains):
        for given in given_places(chain):
            document, history, cursor = played(chain, given)
            snapshot, left = document.snapshot(cursor[0]), remaining(chain, given)
            language = by_id(chain.language)
            syntax = parse(snapshot.text, language) if language else None
            for pattern in repeats.patterns(history.recent()):
                for span, text, evidence in repeats.places(snapshot, pattern, syntax):
                    edit = Edit(snapshot.uri, 1, span, text, 1.0, 0, 0.0, ("repeat",))
                    if filters.objection(snapshot, edit, 0, history, syntax) is None:
                        made = judge(snapshot, edit, left) > 0
                        yield Row((number, bool(left)), chain.project, evidence, made)


def fitted(found: list[Row]) -> np.ndarray:
    """Weights of a logistic regression, by Newton's method. A case with many places counts for less."""
    per_case = Counter(row.case for row in found)
    features = np.array([row.evidence.features() for row in found])
    made = np.array([row.made for row in found], float)
    share = np.array([1 / math.sqrt(per_case[row.case]) for row in found])
    weights, ridge = np.zeros(features.shape[1]), RIDGE * np.eye(features.shape[1])
    ridge[0, 0] = 1e-6
    for _ in range(60):
        chance = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (share * (made - chance)) - ridge @ weights
        curve = (features * (share * chance * (1 - chance))[:, None]).T @ features + ridge
        weights = weights + np.linalg.solve(curve, gradient)
    return weights


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_next_edits", description=__doc__)
    parser.add_argument("chains", type=Path)
    found = list(rows(read(parser.parse_args(argv).chains)))
    best: dict[tuple[int, bool], tuple[float, Row]] = {}
    for project in sorted({row.project for row in found}):
        weights = fitted([row for row in found if row.project != project])
        for row in found:
            score = 1 / (1 + math.exp(-float(np.dot(weights, row.evidence.features()))))
            if row.project == project and score > best.get(row.case, (0.0, row))[0]:
                best[row.case] = score, row
    for threshold in THRESHOLDS:
        shown = [row for score, row in best.values() if score >= threshold]
        wanted = [row for row in shown if row.case[1]]
        made = sum(row.made for row in wanted)
        print(f"{threshold}: {len(wanted)} shown, {made} useful; {len(shown) - len(wanted)} at negatives")
    print("WEIGHTS =", [round(float(each), 2) for each in fitted(found)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
