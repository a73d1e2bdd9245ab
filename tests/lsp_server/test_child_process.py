"""Children load our packages and Python's own modules, whatever lies in the folder that they run in."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sysconfig
from pathlib import Path

import pytest

from lsp_server import child_process

# Modules that the folder offers in place of ours and of Python's; each would end a child that loads it.
HOSTILE = ("lsp_server", "model_runtime", "evaluation", "json", "queue", "token")
# A module that says where the child's modules came from, and its search path.
REPORT = """
import json, lsp_server, model_runtime, sys
print(json.dumps({"path": sys.path, "files": [m.__file__ for m in (json, lsp_server, model_runtime)]}))
"""


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    return folder


def report(tmp_path: Path, folder: Path) -> dict[str, list[str]]:
    """What a child says that runs in the folder, its module being on PYTHONPATH."""
    environment = child_process.environment()
    before = environment.get("PYTHONPATH")
    modules = str(write(tmp_path / "modules", "child_report", REPORT))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (modules, before)))
    command = child_process.command("child_report")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_folder_s_files_shadow_neither_ours_nor_python_s(tmp_path: Path) -> None:
    for name in HOSTILE:
        write(tmp_path / "work", name, f"raise SystemExit('{name} of the workspace was loaded')")
    told = report(tmp_path, tmp_path / "work")
    standard = Path(sysconfig.get_path("stdlib"))
    assert [Path(file).resolve() for file in told["files"]] == [
        (standard / "json" / "__init__.py").resolve(),
        child_process.ROOT / "lsp_server" / "__init__.py",
        child_process.ROOT / "model_runtime" / "__init__.py",
    ]
    assert str(tmp_path / "work") not in told["path"]


def test_no_site_packages_before_the_standard_library(tmp_path: Path) -> None:
    packages = site.getsitepackages()
    told = report(tmp_path, Path(packages[0]))["path"]
    assert packages[0] in told, "the folder is there, so its place says something"
    standard = told.index(sysconfig.get_path("stdlib"))
    assert not {*packages, site.getusersitepackages()} & set(told[:standard])


@pytest.mark.parametrize(
    ("installed", "before", "after"),
    [
        (True, None, None),
        (True, "/mine", "/mine"),
        (False, None, "{root}"),
        (False, "", "{root}"),
        (False, "/mine", "/mine{sep}{root}"),
        (False, "{root}{sep}/mine", "{root}{sep}/mine"),
    ],
)
def test_only_a_checkout_is_put_on_the_path(
    monkeypatch: pytest.MonkeyPatch, installed: bool, before: str | None, after: str | None
) -> None:
    names = {"root": child_process.ROOT, "sep": os.pathsep}
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(child_process.ROOT)] if installed else [])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if before is not None:
        monkeypatch.setenv("PYTHONPATH", before.format(**names))
    assert child_process.environment().get("PYTHONPATH") == (after and after.format(**names))
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert rest.items() <= child_process.environment().items()
