"""Holes for evaluation: whole, repeatable, and cut so that they still parse."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benchmarks import quiet
from evaluation.places import read
from model_runtime.training import corpus, held_out
from model_runtime.training.holes import CUTTERS
from tests.support.paths import ROOT

TEXT = (ROOT / "model_runtime" / "scheduler.py").read_text()
DOCUMENTS = [corpus.Document("own", "Apache-2.0", "scheduler.py", TEXT)]


def test_holes_are_repeatable_and_whole() -> None:
    found = list(held_out.holes(DOCUMENTS, 4, seed=3))
    assert found == list(held_out.holes(DOCUMENTS, 4, seed=3))
    assert [hole.kind for hole in found] == [kind for kind in CUTTERS for _ in range(4)]
    assert {hole.before + hole.middle + hole.after for hole in found} == {TEXT}


def test_short_context_is_cut_between_statements() -> None:
    for hole in held_out.holes(DOCUMENTS, 12, before=900, after=300):
        whole = hole.before + hole.middle + hole.after
        assert len(hole.before) <= 900
        assert len(hole.after) <= 300
        assert whole in TEXT
        assert held_out.parsed(held_out.scaffold(whole) + whole) is not None


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_written_file_reads_back(name: str, tmp_path: Path) -> None:
    found = list(held_out.holes(DOCUMENTS, 1))
    assert held_out.write(tmp_path / name, found) == len(found)
    first = (tmp_path / name).read_bytes()
    held_out.write(tmp_path / name, found)
    assert (tmp_path / name).read_bytes() == first
    places = read(tmp_path / name)
    assert [(p.kind, p.before, p.middle, p.after) for p in places] == [
        (h.kind, h.before, h.middle, h.after) for h in found
    ]


def test_quiet_places_are_where_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = TEXT.split("\n")
    for at in quiet.finished(TEXT):
        line = TEXT[:at].split("\n")[-1]
        assert TEXT[at] == "\n"
        assert line in lines
        assert not line.rstrip().endswith((":", "(", ","))
    for at in quiet.in_comments(TEXT):
        assert "#" in TEXT[:at].split("\n")[-1]
    assert len(quiet.in_strings(TEXT)) > 20
    for at in (*quiet.in_strings(TEXT), *quiet.in_comments(TEXT)):
        assert quiet._in_words(TEXT, at)
    monkeypatch.setattr(quiet, "UNFINISHED", ("unfinished line", 5))
    wanted = list(quiet.unfinished_places(DOCUMENTS, 0))
    assert len(wanted) == 5
    assert all(place.wanted and (place.before + "\n") not in TEXT for place in wanted)


def test_the_committed_sets_say_where_they_are_from() -> None:
    for name, count in (("held-out", 2500), ("quiet", 450)):
        path = ROOT / "benchmarks" / "data" / f"{name}.jsonl.gz"
        assert path.stat().st_size < 4_000_000
        assert len(read(path)) == count
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            record = json.loads(line)
            assert corpus.PERMISSIVE.search(record["licence"])
            assert record["project"]
            assert record["path"]
    quiet_set = read(ROOT / "benchmarks" / "data" / "quiet.jsonl.gz")
    assert sum(not place.wanted for place in quiet_set) == 300
