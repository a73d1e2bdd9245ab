"""Scores as tables."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation import report
from evaluation.scores import share


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (share(1, 2), "50.0 (9-91)"),
        (share(0, 0), "-"),
        (None, "-"),
        (2.0, "2"),
        (0.25, "0.25"),
        (99.5, "99.5"),
        (1234.5, "1234"),
    ],
)
def test_a_cell(value: Any, expected: str) -> None:
    result = {"contenders": {}, "rows": [], "quiet": [quiet(value)]}
    assert report.table(result).split("\n")[2].split("|")[2].strip() == expected


def quiet(silent: Any) -> dict[str, Any]:
    shares = {"silent": silent, "silent_without_threshold": share(1, 1), "silent_by_rules": share(0, 0)}
    return {"category": "in a string", "wanted": False, "n": 2, **shares}


def test_a_table_is_markdown_in_even_columns() -> None:
    row = quiet(share(2, 2)) | {"wanted": True}
    assert report.table({"contenders": {}, "rows": [], "quiet": [row]}).split("\n") == [
        "| places where something is |       silent % | without the threshold % | by the rules alone % |",
        "|---------------------------|---------------:|------------------------:|---------------------:|",
        "| in a string, 2            | 100.0 (34-100) |          100.0 (21-100) |                    - |",
    ]


def test_one_short_table_for_a_readme() -> None:
    half, none = share(1, 2), share(0, 0)
    row = {"kind": "span", "n": 2, "contender": "shipped", "exact": half, "found": share(2, 2), "shown": half}
    row |= {"exact_shown": share(1, 1), "parses_shown": none}
    table = report.by_kind({"rows": [row, row | {"contender": "copy", "exact": share(0, 2)}]})
    assert table.split("\n")[2:] == ["| span, 2 | 50% | 100% | 0% | 50% | 100% | - |"]
