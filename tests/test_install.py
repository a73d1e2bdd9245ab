"""What the texts say of installing: never a package by this project's name, which no index has from here."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from tests.support.paths import ROOT

# The name where a package to install stands, with its extras or without, in any installer's words.
BY_NAME = re.compile(
    r"\b(?:pip3?|pipx|uv tool|uv pip|uv)[ \"',\]\[]+(?:install|add|run|inject)\b"
    r"[^\n`|&;]*?[ \"'(]infill[-_]ls\b(?![./]|[-\w]*\.whl)"
)
ALLOWED = {"docs/install.md": ["pipx inject infill-ls peft"]}  # into what is installed already


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run `pip install infill-ls`", True),
        ("pip install 'infill-ls[lora]'", True),
        ('pip install -U "infill-ls"', True),
        ("python -m pip install infill_ls", True),
        ('["pip", "install", "infill-ls"]', True),
        ("uv tool install infill-ls", True),
        ("pipx install --force infill-ls==0.1", True),
        ("pip install ./infill-ls", False),
        ("pip install dist/infill_ls-0.1.0-py3-none-any.whl", False),
        ("pip install -e . && infill-ls serve", False),
        ("`pip install .`, then `infill-ls serve`", False),
    ],
)
def test_what_is_looked_for(text: str, found: bool) -> None:
    assert bool(BY_NAME.search(text)) is found


def test_nothing_tells_to_install_it_by_name() -> None:
    """All texts that are committed or about to be, this file apart."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    told = []
    for name in names:
        path = ROOT / name
        if name == "tests/test_install.py" or not path.is_file() or path.stat().st_size > 2_000_000:
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        for each in ALLOWED.get(name, []):
            assert each in text
            text = text.replace(each, "")
        told += [f"{name}: {found[0]}" for found in BY_NAME.finditer(text)]
    assert told == []


def test_the_short_requirements_are_the_project_without_what_a_local_model_needs() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    short = [
        line for line in (ROOT / "requirements-remote.txt").read_text("utf-8").splitlines() if line[0] != "#"
    ]
    local = {"accelerate", "safetensors", "torch", "transformers", "websockets"}
    assert short == [line for line in dependencies if line.partition(">")[0] not in local]
