"""Writes what other files say of the server's settings, from the server's own table.

    python editor-clients/vscode/scripts/settings.py           writes them
    python editor-clients/vscode/scripts/settings.py --check   says which are out of date

Made are: the section `Server` and the restricted settings in package.json, src/server.json (names for the
client), and the table of docs/settings.md. Knows the table's form, not what a setting does.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsp_server.config.settings import SETTINGS, default_of
from lsp_server.text.languages import KNOWN

CLIENT = Path(__file__).resolve().parents[1]
MANIFEST = CLIENT / "package.json"
NAMES = CLIENT / "src" / "server.json"
DOCUMENT = CLIENT.parents[1] / "docs" / "settings.md"

# Beside the personal ones, which VS Code never takes from a workspace: those that count from one only if
# the user trusts it.
RESTRICTED = ("device", "exclude", "logLevel")
_ROW = re.compile(r"(?:^\| `infill\..*\n)+", re.MULTILINE)


def properties() -> dict[str, dict[str, Any]]:
    """The settings as package.json contributes them."""
    return {
        f"infill.{name}": {
            **setting.check.schema,
            "default": default_of(name),
            "markdownDescription": sentence(setting.description),
            "scope": "machine" if setting.personal else "resource" if setting.per_folder else "window",
        }
        for name, setting in SETTINGS.items()
    }


def sentence(description: str) -> str:
    return f"{description[0].upper()}{description[1:]}."


def manifest(text: str) -> str:
    made = json.loads(text)
    kept = [part for part in made["contributes"]["configuration"] if part["title"] != "Server"]
    server = {"title": "Server", "properties": properties()}
    made["contributes"]["configuration"] = [*kept, server]
    own = [name for part in kept for name, it in part["properties"].items() if it.get("scope") == "machine"]
    personal = [f"infill.{name}" for name, setting in SETTINGS.items() if setting.personal]
    restricted = [*own, *personal, *(f"infill.{name}" for name in RESTRICTED)]
    made["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = restricted
    return dump(made)


def names(_: str) -> str:
    """What the client has to know: which settings are the server's, and how languages are called."""
    languages = {language.id: list(language.aliases) for language in KNOWN if language.aliases}
    personal = [name for name, setting in SETTINGS.items() if setting.personal]
    return dump({"settings": list(SETTINGS), "personal": personal, "languages": languages})


def document(text: str) -> str:
    rows = "".join(
        f"| `infill.{name}` | `{json.dumps(default_of(name))}` | {setting.description} |\n"
        for name, setting in SETTINGS.items()
    )
    return _ROW.sub(lambda _: rows, text, count=1)


def dump(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def stale() -> Iterator[tuple[Path, str]]:
    """Each file that says something else than the table, and what it should be."""
    for path, make in ((MANIFEST, manifest), (NAMES, names), (DOCUMENT, document)):
        text = path.read_text("utf-8") if path.exists() else ""
        if (wanted := make(text)) != text:
            yield path, wanted


def main() -> None:
    found = list(stale())
    for path, wanted in found:
        print(path.relative_to(CLIENT.parents[1]))
        if "--check" not in sys.argv:
            path.write_text(wanted, "utf-8")
    sys.exit(1 if found and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
