"""The holes that the ranker is fitted on are scored, fitted and judged by other projects."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import ranking
from benchmarks.holes import Place, write
from model_runtime.retrieval.reranker import Calibration
from model_runtime.training.calibrate import Outcome

LINE = "const {0} = price(count, {0});\n"


@pytest.mark.slow
def test_holes_are_scored_and_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = []
    for project, names in {"one": "abcdef", "two": "ghijkl"}.items():
        folder = tmp_path / "dev" / "javascript" / project
        folder.mkdir(parents=True)
        text = "".join(LINE.format(name) for name in names)
        (folder / "a.js").write_text(text)
        (folder / "b.js").write_text(text)
        for line in range(6):
            at = line * len(LINE.format("x")) + len("const x = price(")
            places.append(Place("end-of-line", "javascript", project, "a.js", at, at + len("count, x);")))
    write(tmp_path / "dev" / "javascript.jsonl.gz", places)
    records, weights = tmp_path / "scored.jsonl", tmp_path / "weights.json"
    wanted = ["--data", str(tmp_path), "--out", str(records), "--language", "javascript"]
    assert ranking.main(["collect", *wanted]) == 0
    assert len(records.read_bytes().splitlines()) == len(places)
    assert ranking.main(["fit", str(records), "--out", str(weights)]) == 0
    assert msgspec.json.decode(weights.read_bytes(), type=Calibration).weights["ngram_share"]
    told = capsys.readouterr().out
    assert "12 holes of 2 projects" in told
    assert "among the candidates 100.0%  first 100.0%" in told


@pytest.mark.slow
def test_holes_within_names_are_a_kind_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "dev" / "javascript" / "one"
    folder.mkdir(parents=True)
    text = "".join(LINE.format(name) for name in "abcdef")
    (folder / "a.js").write_text(text)
    (folder / "b.js").write_text(text)
    starts = [line * len(LINE.format("x")) + len("const x = ") for line in range(6)]
    places = [Place("end-of-line", "javascript", "one", "a.js", at, at + 16) for at in starts]
    write(tmp_path / "dev" / "javascript.jsonl.gz", places)
    records = tmp_path / "scored.jsonl"
    wanted = ["--data", str(tmp_path), "--out", str(records), "--language", "javascript", "--typed"]
    assert ranking.main(["collect", *wanted]) == 0
    found = [msgspec.json.decode(line) for line in records.read_bytes().splitlines()]
    assert [each["kind"] for each in found] == ["within-name"] * 6
    assert all("price".endswith(each["middle"].partition("(")[0]) for each in found)
    assert all(any(each["right"]) for each in found)


@pytest.mark.parametrize(
    ("outcomes", "gap"),
    [
        ([Outcome(0.5, True), Outcome(0.5, False)] * 5, 0.5),
        ([Outcome(0.0, False)] * 10, 0.0),
        ([Outcome(0.8, True)], 0.2),
    ],
)
def test_the_largest_gap_between_confidence_and_truth(outcomes: list[Outcome], gap: float) -> None:
    assert ranking.largest_gap(outcomes) == pytest.approx(gap)
