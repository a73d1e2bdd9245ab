from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import index_cost


def test_files_up_to_so_many_bytes(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}.py").write_text("a = 1\n" * 10)
    (tmp_path / "picture.png").write_bytes(b"\0" * 100)
    (tmp_path / "empty.py").touch()
    assert [path.name for path in index_cost.source_files([tmp_path], 1e6)] == [f"{n}.py" for n in range(5)]
    assert [path.name for path in index_cost.source_files([tmp_path], 100)] == ["0.py", "1.py"]


def test_what_is_measured(tmp_path: Path) -> None:
    for n in range(4):
        lines = (f"value_{n}_{i} = compute({i}, width, height)" for i in range(300))
        (tmp_path / f"{n}.py").write_text("\n".join(lines))
    found = index_cost.measured([tmp_path], 1e6, holes=3)
    assert found["files"] == 4
    assert found["text_mb"] == pytest.approx(sum(path.stat().st_size for path in tmp_path.iterdir()) / 1e6)
    assert found["read_cpu_s"] > 0
    assert found["index_cpu_s"] > 0
    assert found["peak_mb"] >= 0
    assert 0 < found["slice_p99_ms"] <= found["slice_longest_ms"]
    assert found["compose_p50_ms"] > 0
