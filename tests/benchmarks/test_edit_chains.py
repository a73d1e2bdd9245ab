"""Edits mined from a history that is made here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.edit_chains import MOST_HUNKS, changes, main


def test_hunks_of_a_patch() -> None:
    patch = (
        "+++ b/a.py\n@@ -3 +3,2 @@ def f():\n-old\n+new\n+more\n@@ -9,0 +11 @@\n+last\n"
        "+++ b/b.py\n@@ -1,2 +0,0 @@\n-a\n-b\n"
    )
    assert changes(patch) == {
        "a.py": [(2, ["old"], ["new", "more"]), (9, [], ["last"])],
        "b.py": [(0, ["a", "b"], [])],
    }


def commit(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", "commit", "-qm", "x"], cwd=folder, check=True, env={**os.environ, **who})


def test_the_chains_of_a_project(tmp_path: Path) -> None:
    (folder := tmp_path / "clones" / "o+n").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    commit(folder, {"a.py": "a\nb\nc\n", "b.py": "x\n" * 2 * MOST_HUNKS + "y\n", "a.txt": "a\n"})
    commit(
        folder, {"a.py": "A\nb\nc\nd\n", "b.py": "x\nz\n" * 2 * MOST_HUNKS, "a.txt": "b\n", "new.py": "n\n"}
    )
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[[project]]\nname = "o/n"\nsplit = "dev"\nlanguage = "python"\nlicence = "MIT"\nhead = "HEAD"\n'
    )
    assert main([str(tmp_path / "clones"), "--out", str(tmp_path / "out"), "--recipe", str(recipe)]) == 0
    (chain,) = map(json.loads, (tmp_path / "out" / "dev.jsonl").read_text().splitlines())
    assert (chain["path"], chain["text"]) == ("a.py", "a\nb\nc\n")
    assert chain["hunks"] == [[0, ["a"], ["A"]], [3, [], ["d"]]]
