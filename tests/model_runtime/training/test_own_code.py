"""Which files of a folder are learnt from."""

from __future__ import annotations

from pathlib import Path

from model_runtime.training import own_code


def test_own_code_is_split_by_file(tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"module_{n}.py").write_text(f"value = compute({n})\n" * 20)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "secret.py").write_text("x = 1\n" * 100)
    (tmp_path / "short.py").write_text("x = 1\n")
    train, test = own_code.documents(tmp_path)
    assert len(train) + len(test) == 12
    assert test
    assert {d.path for d in train}.isdisjoint(d.path for d in test)
    assert own_code.documents(tmp_path) == (train, test)
