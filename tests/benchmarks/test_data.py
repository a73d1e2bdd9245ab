"""The committed sets of holes and places."""

from __future__ import annotations

import gzip
import json

from evaluation.places import read
from model_runtime.training import corpus
from tests.support.paths import ROOT


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
