"""What may be learned from, and what is dropped."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from model_runtime.training import corpus


@pytest.mark.parametrize(
    ("fields", "permissive"),
    [
        ({"License-Expression": "MIT"}, True),
        ({"License": "BSD 3-Clause"}, True),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, True),
        ({"License-Expression": "MIT AND LGPL-3.0-only"}, False),
        ({"License": "MPL-2.0"}, False),
        ({}, False),
    ],
)
def test_only_permissive_licences_are_learned_from(tmp_path: Path, fields: dict, permissive: bool) -> None:
    info = tmp_path / "x-1.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: x", "Version: 1", *(f"{k}: {v}" for k, v in fields.items())]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    assert (corpus.licence_of(metadata.PathDistribution(info)) is not None) is permissive


def _project(tmp_path: Path, name: str, text: str) -> corpus.Project:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    return corpus.Project(name, "1", "MIT", ((path.name, path),))


def test_copies_of_held_out_files_are_not_learned_from(tmp_path: Path) -> None:
    text = "".join(f"    some_value_number_{i} = compute({i})\n" for i in range(30))
    other = "".join(f"    another_thing_{i} = produce({i})\n" for i in range(30))
    train, held_out = corpus.collect(
        [
            _project(tmp_path, "copycat", text),
            _project(tmp_path, "flask", text),
            _project(tmp_path, "original", other),
            _project(tmp_path, "twin", other),
            _project(tmp_path, "bench", other.replace("another", "humaneval") + "# HumanEval\n"),
        ]
    )
    assert [d.project for d in held_out] == ["flask"]
    assert [d.project for d in train] == ["original"]
