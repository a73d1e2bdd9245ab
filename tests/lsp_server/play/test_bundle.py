"""The page's bundle is committed: it must be the one that its sources make."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.support.paths import ROOT

SOURCES = ROOT / "editor-clients" / "play"
STATIC = ROOT / "lsp_server" / "play" / "static"
MADE = json.loads((STATIC / "sources.json").read_text("utf-8"))
REMEDY = "run: npm ci --ignore-scripts && npm run build, in editor-clients/play"


def hashes(names: set[str]) -> dict[str, str]:
    """Line ends may have become Windows's in a checkout."""
    data = {name: (ROOT / name).read_bytes() for name in names}
    texts = {name: it if name.endswith(".ttf") else it.replace(b"\r\n", b"\n") for name, it in data.items()}
    return {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}


def files(folder: Path) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_is_made_of_its_sources() -> None:
    present = files(SOURCES / "src") | files(SOURCES / "samples")
    settled = {name for name in MADE["inputs"] if name not in present}
    assert settled == {
        "examples/inventory.py",
        *(f"editor-clients/play/{name}" for name in ("build.mjs", "package-lock.json", "package.json")),
        "editor-clients/play/tsconfig.json",
    }
    assert hashes(present | settled) == MADE["inputs"], REMEDY


def test_nobody_has_changed_it_by_hand() -> None:
    present = files(STATIC) - {"lsp_server/play/static/sources.json"}
    assert hashes(present) == MADE["outputs"], REMEDY


def test_it_is_small_enough_to_ship() -> None:
    assert sum((ROOT / name).stat().st_size for name in MADE["outputs"]) < 4_000_000


def test_the_lock_file_names_no_registry() -> None:
    lock = (SOURCES / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://registry" not in lock
