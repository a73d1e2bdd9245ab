"""Charts of fills (one panel per variable) and of denoise steps. The only module here that imports
matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_runtime.bench.cases import VARIED
from model_runtime.diffusion.faults import lacking

STYLES = {  # key in the JSON: (label, colour, marker)
    "generate": ("transformers generate", "#9a6324", "s"),
    "generate_best": ("generate, best options", "#f58231", "D"),
    "generate_fewest": ("generate, no more steps than the engine", "#fabed4", "^"),
    "cold": ("this engine, cold", "#4363d8", "o"),
    "warm": ("this engine, one more keystroke", "#000075", "o"),
}
AXES = {"hole": "hole, tokens", "prefix": "text before the hole, tokens", "candidates": "candidates"}


class ChartError(Exception):
    """No chart can be drawn here; the message is one line for a person."""


def pyplot() -> Any:
    """matplotlib.pyplot, which opens no window. Raises ChartError."""
    if problem := lacking("--chart", "matplotlib"):
        raise ChartError(problem)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def draw(result: dict[str, Any], path: Path) -> None:
    """A PNG of what `report.as_json` gave."""
    plt = pyplot()
    panels = [variable for variable in VARIED if variable in result["growth"]]
    rows, columns = (2, 2) if len(panels) > 1 else (1, 1 + len(panels))
    size = (max(8.0, 5.4 * columns), 1.6 + 3.6 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    _bars(axes.flat[0], result)
    for ax, variable in zip(axes.flat[1:], panels, strict=False):
        _lines(ax, variable, result["cases"])
    title = f"Time to fill one hole, model {Path(result['model']).name}\n{result['hardware']}"
    _finish(figure, plt, title, result, path)


def draw_steps(result: dict[str, Any], path: Path) -> None:
    """A PNG of what `steps.measure` gave: time of a denoise step against the memory's floor."""
    plt = pyplot()
    shapes = result["steps"]
    batches = sorted({one["batch"] for one in shapes})
    figure, axes = plt.subplots(
        1, len(batches), figsize=(3.6 * len(batches), 4.4), squeeze=False, sharey=True
    )
    for ax, batch in zip(axes[0], batches, strict=True):
        found = [one for one in shapes if one["batch"] == batch]
        at = range(len(found))
        ax.bar(at, [one["p50_ms"] for one in found], color="#4363d8", label="measured, p50")
        floors = [one["floor_ms"] for one in found]
        ax.hlines(floors, [x - 0.45 for x in at], [x + 0.45 for x in at], color="#e6194b", label="floor")
        for x, one in zip(at, found, strict=True):
            ax.annotate(
                f"{one['p50_ms']:.3g}\nx{one['ratio_to_floor']:,.2f}",
                (x, one["p50_ms"]),
                ha="center",
                va="bottom",
            )
        ax.set_xticks(list(at), [str(one["canvas"]) for one in found])
        ax.set(title=f"batch {batch}", xlabel="canvas, tokens")
        ax.margins(y=0.2)
    axes[0][0].set_ylabel("ms per denoise step")
    title = f"One denoise step, {result['random_weights']} geometry, random weights\n{result['hardware']}"
    _finish(figure, plt, title, result, path)


def _bars(ax: Any, result: dict[str, Any]) -> None:
    keys = [key for key in STYLES if key in result]
    for x, key in enumerate(keys):
        label, colour, _ = STYLES[key]
        p50, top = result[key]["p50_ms"], max(result[key]["p50_ms"], result[key]["p90_ms"])
        ax.bar(x, p50, color=colour, label=label, yerr=[[0], [top - p50]], capsize=3)
        ax.annotate(
            f"{p50:,.0f} ms", (x, top), ha="center", va="bottom", xytext=(0, 3), textcoords="offset points"
        )
    base = result["cases"][0]
    ax.set(xticks=[], ylabel="ms, p50 (whisker: p90)")
    ax.set_title(f"prefix {base['prefix']}, hole {base['hole']}, {base['candidates']} candidate")
    ax.margins(y=0.1)


def _lines(ax: Any, variable: str, cases: list[dict[str, Any]]) -> None:
    from matplotlib import ticker

    others = [name for name in VARIED if name != variable]
    base = cases[0]
    shown = [one for one in cases if all(one[name] == base[name] for name in others)]
    shown.sort(key=lambda one: one[variable])
    for key, (label, colour, marker) in STYLES.items():
        points = [(x, one["results"][key]) for x, one in enumerate(shown) if key in one["results"]]
        if not points:
            continue
        p50 = [found["p50_ms"] for _, found in points]
        spread = [[0.0] * len(points), [max(0.0, found["p90_ms"] - found["p50_ms"]) for _, found in points]]
        ax.errorbar([x for x, _ in points], p50, spread, color=colour, marker=marker, label=label, capsize=3)
    ticks = [f"{one[variable]}*" if one["notes"] else str(one[variable]) for one in shown]
    ax.set_xticks(range(len(shown)), ticks)
    ax.set(yscale="log", ylabel="ms, p50 (whisker: p90)", xlabel=AXES[variable], title=f"{variable} varied")
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    ax.grid(axis="y", alpha=0.3)


def _finish(figure: Any, plt: Any, title: str, result: dict[str, Any], path: Path) -> None:
    """Add title, legend and footnotes, and write the file."""
    figure.suptitle(title)
    notes = [f"* {note}" for one in result.get("cases", []) for note in one["notes"]]
    notes.append(f"torch {result['torch']}, transformers {result['transformers']}, {result['date']}")
    figure.text(0.01, 0.005, "\n".join(notes), va="bottom", fontsize=7, color="dimgrey")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    inch = 1 / figure.get_figheight()
    top = (0.1 + 0.13 * len(notes)) * inch
    columns = 2 if figure.get_figwidth() < 10 else 4
    lines = -(-len(labels) // columns)
    figure.legend(handles, labels, loc="lower center", ncol=columns, frameon=False, bbox_to_anchor=(0.5, top))
    figure.tight_layout(rect=(0, top + (0.15 + 0.25 * lines) * inch, 1, 1))
    figure.savefig(path, dpi=130, format="png")
    plt.close(figure)
