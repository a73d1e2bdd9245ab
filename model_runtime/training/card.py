"""The model card: what the weights saw, how good they are by kind of hole, how the run went.

    python -m model_runtime.training.card FOLDER RESULT [RESULT ...] [--curve FILE]

FOLDER is a model folder with `training.json` and `corpus.json`, a RESULT the JSON of an evaluation
(`infill-ls eval --json`): the first says how good it is as shipped, all of them what its parts do. The curve
has a line of JSON for each sitting of the run. Every number of the page is read from these files.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_runtime.training.curve import COLUMNS, cells, row

RECORD, CORPUS, PAGE, RELIABILITY = "training.json", "corpus.json", "README.md", "reliability.png"
BEFORE = "before."  # in a run's folder, before the names of what is known of the model that it begins with
SHIPPED = "shipped"  # the contender that is the whole


@dataclass(frozen=True)
class Share:
    """What the corpus has of a project."""

    project: str
    licence: str
    characters: int
    before: int = 0  # characters of it in the corpus of the weights that the run began with


def begun_with(model: Path, run: Path) -> None:
    """Note in a run's folder which model it begins with."""
    for name in (RECORD, CORPUS):
        if (model / name).exists():
            shutil.copyfile(model / name, run / (BEFORE + name))


def save_corpus(folder: Path, shares: Sequence[Share]) -> None:
    ordered = sorted(shares, key=lambda each: (-each.characters, -each.before, each.project))
    lines = ",\n".join(json.dumps(asdict(each)) for each in ordered)
    (folder / CORPUS).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def read_corpus(path: Path) -> list[Share]:
    return [Share(**each) for each in json.loads(path.read_text(encoding="utf-8"))]


def write(
    folder: Path, results: Sequence[Mapping[str, Any]], curve: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Make the page of a model folder anew."""
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    shares = read_corpus(folder / CORPUS)
    drawn = (folder / RELIABILITY).exists()
    (folder / PAGE).write_text(page(record, shares, results, curve, drawn), encoding="utf-8")


def page(
    record: Mapping[str, Any],
    shares: Sequence[Share],
    results: Sequence[Mapping[str, Any]],
    curve: Sequence[Mapping[str, Any]],
    drawn: bool,
) -> str:
    """`drawn`: there is a picture of the reliability."""
    millions = {name: record[name] / 1e6 for name in ("parameters", "causal_tokens", "canvas_tokens")}
    whole, *_ = results
    earlier = any(each.before for each in shares)
    parts = [
        "# The embedded model",
        f"""A `DiffusionGemmaForBlockDiffusion` of {millions["parameters"]:.1f}M parameters (size
"{record["size"]}" in `model_runtime/training/geometry.py`) with its own byte-level BPE tokenizer of
{record["vocab_size"]} tokens, made from nothing by `model_runtime/training`. Stored as int8, computed in
fp32 or int8. Apache-2.0, like the rest of the repository. It fills short holes in Python; it knows no other
language and follows no instructions.""",
        "## How good it is",
        f"""Holes in projects that it never saw: {_data(whole)}. Shares have their 95% interval. An answer is
shown from a confidence of {whole["threshold"]} on. Times are the server's and the model's together.""",
        _kinds(whole),
        *(["What a confidence is worth: [reliability.png](reliability.png)."] if drawn else []),
        "### What its parts do",
        "Exactly right, in %, each contender by itself.",
        *(_ablation(result) for result in results),
        "## What it saw",
        f"""{record["step"]} steps: {millions["causal_tokens"]:.1f}M tokens through the causal encoder (the
first {record["causal_steps"]} steps trained it alone) and {millions["canvas_tokens"]:.1f}M canvas tokens
through the denoiser, in {record["seconds"] / 3600:.1f} hours on {record.get("hardware", "a CPU")}.
{_before(record)}{sum(each.characters for each in shares) / 1e6:.0f}M characters of Python under permissive
licences:""",
        _table(
            ("project", "licence as stated", "M characters", *(["of the run before"] if earlier else [])),
            (
                (
                    *(each.project, each.licence.replace("|", "/"), f"{each.characters / 1e6:.2f}"),
                    *([f"{each.before / 1e6:.2f}"] if earlier else []),
                )
                for each in shares
            ),
        ),
        """Projects that are tested on were held out whole. Files that repeat lines of them were dropped, as
were files that mention HumanEval or MBPP.""",
        "## How the run went",
        _curve(curve),
        "## How to make it again",
        """[docs/contributing.md](../../docs/contributing.md#training-the-embedded-model) has the commands,
[docs/training.md](../../docs/training.md) the settings. These were, as `training.json` has them:""",
        _settings(record),
        "This page is made by `python -m model_runtime.training.card`.",
    ]
    return "\n\n".join(parts) + "\n"


def _before(record: Mapping[str, Any]) -> str:
    """Of the weights that the run began with."""
    if not (known := record.get("began_with")):
        return ""
    causal, canvas = (known[name] / 1e6 for name in ("causal_tokens", "canvas_tokens"))
    return f"""It began with weights that had seen {causal:.1f}M and {canvas:.1f}M tokens in
{known["seconds"] / 3600:.1f} hours on {known.get("hardware", "a CPU")}. """


def _data(result: Mapping[str, Any]) -> str:
    split = f", split {result['split']}" if result.get("split") else ""
    return f"{', '.join(result['data'])}{split}, on {result['hardware']}, {result['date'][:10]}"


def _kinds(result: Mapping[str, Any]) -> str:
    rows = [row for row in result["rows"] if row["contender"] == SHIPPED]
    return _table(
        ("hole", "holes", "exactly right %", "shown %", "right if shown %", "parses %", "p50 ms", "p90 ms"),
        (
            (
                *(row["kind"], str(row["n"]), _share(row["exact"]), _share(row["shown"])),
                *(_share(row["exact_shown"]), _share(row["parses"])),
                *(f"{row[name]:.0f}" if row.get(name) is not None else "" for name in ("p50_ms", "p90_ms")),
            )
            for row in rows
        ),
    )


def _ablation(result: Mapping[str, Any]) -> str:
    kinds = list(dict.fromkeys(row["kind"] for row in result["rows"]))
    found = {(row["contender"], row["kind"]): row for row in result["rows"]}
    rows = [
        (label, *(_share(found[name, kind]["exact"]) if (name, kind) in found else "" for kind in kinds))
        for name, label in result["contenders"].items()
    ]
    first = next(iter(result["contenders"]))
    holes = sum(found[first, kind]["n"] for kind in kinds)
    return f"{_data(result)}, {holes} holes:\n\n" + _table(("", *kinds), rows)


def _share(value: Mapping[str, Any]) -> str:
    if value["share"] is None:
        return ""
    share, low, high = (100 * value[name] for name in ("share", "low", "high"))
    return f"{share:.1f} ({low:.0f}-{high:.0f})"


def _curve(curve: Sequence[Mapping[str, Any]]) -> str:
    if not curve:
        return "No curve was kept of this run."
    return _table(list(COLUMNS), map(cells, curve))


def _settings(record: Mapping[str, Any]) -> str:
    measured = {"step", "seconds", "parameters", "hardware", "began_with"}
    rows = [
        (f"`{name}`", json.dumps(value))
        for name, value in record.items()
        if name not in measured and not name.endswith("_tokens")
    ]
    return _table(("setting", "value"), rows)


def _table(header: Sequence[str], rows: Any) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(map(row, lines))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m model_runtime.training.card")
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--curve", type=Path)
    options = parser.parse_args(arguments)
    curve = options.curve.read_text(encoding="utf-8").splitlines() if options.curve else []
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    write(options.folder, results, [json.loads(line) for line in curve])


if __name__ == "__main__":
    main()
