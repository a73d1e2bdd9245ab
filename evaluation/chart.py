"""The chart: share of exact matches with its interval, one panel per kind of hole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_runtime.bench.chart import pyplot

SHIPPED_COLOUR, OTHER, BASELINE = "#000075", "#4363d8", "#9a6324"
BASELINES = frozenset({"copy", "causal", "fim"})


def draw(result: dict[str, Any], path: Path) -> None:
    """A PNG of the result's rows, with a panel for the places where nothing is wanted, if it has any."""
    plt = pyplot()
    kinds = list(dict.fromkeys(row["kind"] for row in result["rows"]))
    names = list(result["contenders"])
    panels = [
        (kind, [r for r in result["rows"] if r["kind"] == kind], "contender", "exact") for kind in kinds
    ]
    panels += [
        (
            "silent where nothing is wanted",
            [r for r in result["quiet"] if not r["wanted"]],
            "category",
            "silent",
        )
    ]
    panels = [panel for panel in panels if panel[1]]
    height = 1.2 + 0.3 * max([len(names), *(len(rows) for _, rows, _, _ in panels)])
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(5.6 * columns, height * lines), squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (title, rows, label, value) in zip(axes.flat, panels, strict=False):
        for y, row in enumerate(rows):
            found = row[value]
            colour = BASELINE if row.get("contender") in BASELINES else OTHER
            colour = SHIPPED_COLOUR if row.get("contender", "shipped") == "shipped" else colour
            middle, low, high = (100 * found[k] for k in ("share", "low", "high"))
            ax.barh(
                y, middle, color=colour, xerr=[[max(0.0, middle - low)], [max(0.0, high - middle)]], capsize=2
            )
        ax.set_yticks(range(len(rows)), [row[label] for row in rows])
        ax.invert_yaxis()
        ax.set(title=f"{title} ({rows[0]['n']})", xlabel=f"{value} %", xlim=(0, None))
    figure.suptitle(f"Whiskers: 95%. Model {Path(result['model']).name}, {result['hardware']}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=120, format="png")
    plt.close(figure)
