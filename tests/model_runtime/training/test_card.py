"""The model card says what is in the files that it is made of, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from model_runtime.training import card, export
from model_runtime.training.card import Share
from model_runtime.training.corpus import Document
from tests.support.paths import ROOT

RECORD = {
    **{"size": "9m", "vocab_size": 600, "causal_steps": 7, "objective": "infill", "narrow": [48]},
    **{"step": 11, "causal_tokens": 2_500_000, "canvas_tokens": 1_500_000, "seconds": 7200.0},
    **{"parameters": 9_100_000, "hardware": "a toy"},
}


def shares(right: float) -> dict:
    return {"share": right, "low": right / 2, "high": right * 2, "of": 10}


def result(**contenders: str) -> dict:
    none = {"share": None, "low": None, "high": None, "of": 0}
    rows = [
        {
            **{"contender": name, "kind": kind, "n": 10, "exact": shares(0.25), "shown": shares(0.5)},
            **{"exact_shown": none, "parses": shares(0.4), "p50_ms": 12.4, "p90_ms": 20.0},
        }
        for name in contenders
        for kind in ("end-of-line", "span")
    ]
    about = {"data": ["holes"], "hardware": "a toy", "date": "2026-01-02T00:00:00", "threshold": 0.3}
    return {**about, "rows": rows, "contenders": contenders}


def test_the_page_is_made_of_its_files(tmp_path: Path) -> None:
    (tmp_path / card.RECORD).write_text(json.dumps(RECORD))
    card.save_corpus(tmp_path, [Share("small", "MIT | BSD", 1_000_000), Share("large", "ISC", 2_000_000)])
    files = []
    for number, found in enumerate((result(shipped="as shipped", copy="copy"), result(causal="greedy"))):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(found))
    curve = tmp_path / "curve.jsonl"
    point = {
        **{
            "seconds": 5400,
            "causal_tokens": 2_500_000,
            "canvas_tokens": 1_500_000,
            "missing_tokens": 250_000,
        },
        **{"example_tokens": 1_400_000, "val_causal": 2.25, "val_canvas": 4.5, "val_answer": 1.75},
        "exact": {"denoiser": {"end-of-line": 7.5, "span": 2.0}, "causal": {"brackets": 31.0}},
    }
    curve.write_text(json.dumps(point) + "\n")
    card.main([str(tmp_path), *map(str, files), "--curve", str(curve)])
    text = (tmp_path / card.PAGE).read_text()
    assert "| end-of-line | 10 | 25.0 (12-50) | 50.0 (25-100) |  | 40.0 (20-80) | 12 | 20 |" in text
    assert text.count("holes, on a toy, 2026-01-02, 20 holes:") == 2
    assert "| copy | 25.0 (12-50) | 25.0 (12-50) |" in text
    assert "| greedy | 25.0 (12-50) | 25.0 (12-50) |" in text
    assert text.index("| large | ISC | 2.00 |") < text.index("| small | MIT / BSD | 1.00 |")
    assert (
        "| 1.5 | 2.5 | 1.5 | 0.2 | 1.4 | 1,000 | 2.250 | 4.500 | 1.750 | 8 / 0 / 0 / 2 | 0 / 0 / 31 / 0 |"
        in text
    )
    assert "| `narrow` | [48] |" in text
    assert "2.0 hours on a toy" in text
    assert "reliability" not in text
    assert "began with" not in text


def test_the_page_says_what_the_run_began_with(tmp_path: Path) -> None:
    model, run, out = (tmp_path / name for name in ("model", "run", "out"))
    for folder in (model, run, out):
        folder.mkdir()
    (model / card.RECORD).write_text(json.dumps(RECORD))
    card.save_corpus(model, [Share("left", "ISC", 1_500_000), Share("kept", "MIT", 1_000_000)])
    card.begun_with(model, run)
    learned = [
        Document("kept", "MIT", "a.py", "x" * 2_000_000),
        Document("new", "MIT", "a.py", "x" * 3_000_000),
    ]
    found = export.shares(learned, run)
    card.save_corpus(out, found)
    assert card.read_corpus(out / card.CORPUS) == [
        Share("new", "MIT", 3_000_000),
        Share("kept", "MIT", 2_000_000, 1_000_000),
        Share("left", "ISC", 0, 1_500_000),
    ]
    (out / card.RECORD).write_text(json.dumps({**RECORD, "seconds": 3600.0, "began_with": RECORD}))
    card.write(out, [result(shipped="as shipped")])
    text = (out / card.PAGE).read_text()
    assert "It began with weights that had seen 2.5M and 1.5M tokens in\n2.0 hours on a toy. 5M" in text
    assert "| left | ISC | 0.00 | 1.50 |" in text
    assert "| kept | MIT | 2.00 | 1.00 |" in text
    assert "began_with" not in text


def test_the_committed_page_is_the_one_that_its_files_make(tmp_path: Path) -> None:
    folder, results = ROOT / "model_runtime" / "embedded", ROOT / "benchmarks" / "results"
    for name in (card.RECORD, card.CORPUS, card.RELIABILITY):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    named = ("eval-test-python-cpu-2-cores.json", "eval-ablation-python-cpu-2-cores.json")
    curve = "training-curve-annealed.jsonl"
    card.main([str(tmp_path), *(str(results / name) for name in named), "--curve", str(results / curve)])
    remedy = (
        f"make it anew with `python -m model_runtime.training.card` of {', '.join(named)} --curve {curve}"
    )
    assert (tmp_path / card.PAGE).read_text() == (folder / card.PAGE).read_text(), remedy
