"""Scores as tables, in Markdown that reads as well on a terminal. No model, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
_COLUMNS = {
    "exact %": "exact",
    "in the candidates %": "found",
    "tests pass %": "passed",
    "similar": "similarity",
    "parses %": "parses",
    "shown %": "shown",
    "exact if shown %": "exact_shown",
    "parses if shown %": "parses_shown",
    "no request %": "refused_by_rules",
    "steps": "steps",
    "p50 ms": "p50_ms",
    "p90 ms": "p90_ms",
}
_QUIET = {
    "silent %": "silent",
    "without the threshold %": "silent_without_threshold",
    "by the rules alone %": "silent_by_rules",
}


def table(result: dict[str, Any]) -> str:
    """One table for each kind of hole, then those of the places without an expected text."""
    labels = result["contenders"]
    parts = []
    for kind in dict.fromkeys(row["kind"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["kind"] == kind]
        columns = {
            title: key for title, key in _COLUMNS.items() if key != "passed" or rows[0]["passed"]["of"]
        }
        title = f"{kind}, {(n := rows[0]['n'])} hole{'s' * (n != 1)}"
        parts.append(_table(title, columns, [(labels[row["contender"]], row) for row in rows]))
    for wanted, title in ((False, "places where nothing is wanted"), (True, "places where something is")):
        rows = [row for row in result["quiet"] if row["wanted"] is wanted]
        if rows:
            parts.append(_table(title, _QUIET, [(f"{r['category']}, {r['n']}", r) for r in rows]))
    return "\n\n".join(parts)


def by_kind(result: dict[str, Any]) -> str:
    """One table for a README: what ships, a line for each kind of hole, beside copying where that was
    measured."""
    copied = {row["kind"]: row for row in result["rows"] if row["contender"] == "copy"}
    rows = [row for row in result["rows"] if row["contender"] == "shipped"]
    titles = ["holes", "exactly right", "in the candidates", "copying the most similar place"]
    titles += ["shown by itself", "of those exactly right", "of those parses"]
    lines = [titles, ["---"] * len(titles)]
    for row in rows:
        copy = _percent(copied[row["kind"]]["exact"]) if row["kind"] in copied else "-"
        shares = [_percent(row[key]) for key in ("exact", "found", "shown", "exact_shown", "parses_shown")]
        lines.append([f"{row['kind']}, {row['n']}", *shares[:2], copy, *shares[2:]])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(share: dict[str, Any]) -> str:
    return "-" if share["share"] is None else f"{100 * share['share']:.0f}%"


def _table(title: str, columns: dict[str, str], rows: Sequence[tuple[str, Row]]) -> str:
    cells = [
        [title, *columns],
        *([name, *(_cell(row[key]) for key in columns.values())] for name, row in rows),
    ]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "| "
        + " | ".join(
            c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in cells
    ]
    rule = "|" + "|".join("-" * (w + 2) if not i else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(value: Any) -> str:
    """A share as percent with its interval, a number as it is."""
    if isinstance(value, dict):
        if value["share"] is None:
            return "-"
        return f"{100 * value['share']:.1f} ({100 * value['low']:.0f}-{100 * value['high']:.0f})"
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")
