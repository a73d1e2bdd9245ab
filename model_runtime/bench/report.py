"""Statistics of runs, as JSON and as a table. No model, no clock."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_runtime.bench.cases import BASE, BEST, COLD, FEWEST, STOCK, VARIED, WARM, Setting, series

if TYPE_CHECKING:
    from model_runtime.bench.race import Outcome
    from model_runtime.bench.runs import Run

Summary = dict[str, Any]
KEYS = {  # in the JSON
    **{WARM: "warm", COLD: "cold"},
    **{STOCK: "generate", BEST: "generate_best", FEWEST: "generate_fewest"},
}
GENERATES = (STOCK, BEST, FEWEST)


def p90(values: Sequence[float]) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[8]


def summary(
    runs: Sequence[Run], setting: Setting, stock_p50: float | None, strongest_p50: float | None
) -> Summary:
    """`ratio_to_generate`, `ratio_to_strongest`: how many times faster than `generate`, and than the fastest
    way to call it (p50 over p50)."""
    times = [run.ms for run in runs]
    p50, forwards = statistics.median(times), statistics.median(run.forwards for run in runs)
    return {
        "p50_ms": round(p50, 2),
        "p90_ms": round(p90(times), 2),
        "ratio_to_generate": None if stock_p50 is None else round(stock_p50 / p50, 2),
        "ratio_to_strongest": None if strongest_p50 is None else round(strongest_p50 / p50, 2),
        "steps": statistics.median(run.steps for run in runs),
        "forwards": forwards,
        "ms_per_forward": round(p50 / forwards, 2),
        "tokens_per_s": round(setting.hole * setting.candidates / p50 * 1000, 1),
        "cache_bytes": int(statistics.median(run.cache_bytes for run in runs)),
        "runs": len(runs),
    }


def case(outcome: Outcome) -> dict[str, Any]:
    p50s = {name: statistics.median(run.ms for run in runs) for name, runs in outcome.runs.items()}
    stock_p50 = p50s.get(STOCK)
    strongest = min((p50s[name] for name in GENERATES if name in p50s), default=None)
    return {
        "prefix": outcome.asked.prefix,
        "hole": outcome.asked.hole,
        "hole_used": outcome.used.hole,
        "candidates": outcome.asked.candidates,
        "notes": outcome.notes,
        "results": {
            KEYS[name]: summary(runs, outcome.used, stock_p50, strongest)
            for name, runs in outcome.runs.items()
        },
    }


def growth(cases: dict[Setting, dict[str, Any]]) -> dict[str, Any]:
    """Per variable and kind of run: p50 at the largest value over p50 at the smallest."""
    grown: dict[str, Any] = {}
    for variable in VARIED:
        measured = [cases[one] for one in series(variable) if one in cases]
        if len(measured) < 2:
            continue
        first, last = measured[0], measured[-1]
        used = "hole_used" if variable == "hole" else variable
        grown[variable] = {"from": first[used], "to": last[used]} | {
            key: round(last["results"][key]["p50_ms"] / first["results"][key]["p50_ms"], 2)
            for key in KEYS.values()
            if key in first["results"] and key in last["results"]
        }
    return grown


def as_json(outcomes: Sequence[Outcome], best: str, where: dict[str, Any]) -> dict[str, Any]:
    cases = {outcome.asked: case(outcome) for outcome in outcomes}
    return {
        **cases[BASE]["results"],
        "generate_best_options": best,
        "growth": growth(cases),
        "cases": list(cases.values()),
        **where,
    }


def table(result: dict[str, Any]) -> str:
    names = {key: name for name, key in KEYS.items()}
    lines = [
        f"{result['model']} on {result['hardware']}; torch {result['torch']}, "
        f"transformers {result['transformers']}",
        f"generate, best options: {result['generate_best_options']}",
        "",
        f"{'':<24}{'p50 ms':>10}{'p90 ms':>10}{'steps':>7}{'forwards':>10}{'ms each':>9}{'tokens/s':>10}"
        f"{'x faster':>10}{'x strongest':>13}{'cache':>10}",
    ]
    for one in result["cases"]:
        lines.append(f"prefix {one['prefix']}, hole {one['hole']}, candidates {one['candidates']}")
        lines += [f"  note: {note}" for note in one["notes"]]
        for key, found in one["results"].items():
            lines.append(
                f"  {names[key]:<22}{found['p50_ms']:>10.1f}{found['p90_ms']:>10.1f}{found['steps']:>7.0f}"
                f"{found['forwards']:>10.0f}{found['ms_per_forward']:>9.1f}{found['tokens_per_s']:>10.0f}"
                f"{found['ratio_to_generate']:>10.1f}{found['ratio_to_strongest']:>13.1f}"
                f"{found['cache_bytes'] / 2**20:>6.1f} MiB"
            )
    if peak := result.get("peak"):
        lines.append(
            f"a denoise step: {peak['step_ms']:.1f} ms, {peak['step_gflop']:.2f} GFLOP, {peak['share']:.0%} "
            f"of the {peak['gflops']:.0f} GFLOP/s that a large product in {peak['dtype']} reaches here"
        )
    for variable, grown in result["growth"].items():
        times = ", ".join(f"{names[key]} x{grown[key]:.2f}" for key in names if key in grown)
        lines.append(f"{variable} from {grown['from']} to {grown['to']}: {times}")
    return "\n".join(lines)
