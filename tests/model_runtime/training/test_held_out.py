"""Holes for evaluation: whole, repeatable, and cut so that they still parse."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.places import read
from model_runtime.training import corpus, held_out
from model_runtime.training.holes import CUTTERS
from tests.support.paths import ROOT

TEXT = (ROOT / "model_runtime" / "daemon" / "scheduler.py").read_text()
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
