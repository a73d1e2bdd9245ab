"""Holes in whole projects as places to be asked about."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from evaluation.hole_set import HolesError, read


def test_a_hole_knows_its_project_and_file(tmp_path: Path) -> None:
    file = tmp_path / "dev" / "python" / "one" / "src" / "a.py"
    file.parent.mkdir(parents=True)
    file.write_text("größe = 1\nweite = 2\n", encoding="utf-8")
    record = {
        "kind": "span",
        "language": "python",
        "project": "one",
        "path": "src/a.py",
        "start": 8,
        "end": 9,
    }
    (tmp_path / "dev" / "python.jsonl.gz").write_bytes(gzip.compress(json.dumps(record).encode()))
    (place,) = read(tmp_path, "dev", "python")
    assert (place.before, place.middle, place.after) == ("größe = ", "1", "\nweite = 2\n")
    assert place.project
    assert place.project / place.path == file
    file.unlink()
    with pytest.raises(HolesError, match=r"a\.py is missing"):
        read(tmp_path, "dev", "python")
    with pytest.raises(HolesError, match=r"benchmarks\.projects"):
        read(tmp_path, "test", "python")
