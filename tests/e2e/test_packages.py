"""What the VS Code package holds, and the server's wheel inside of it: all that is needed, nothing else, and
the licences of what is bundled. `.ci/check_wheel.sh` installs that wheel and runs it."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator

import pytest

from tests.e2e.vscode import workbench
from tests.support.paths import ROOT

pytestmark = pytest.mark.editor

EXTENSION = {
    "LICENSE.txt",
    "changelog.md",
    "dist/LICENSES.txt",
    "dist/extension.js",
    "media/icon.png",
    "media/next-edit.svg",
    *(
        f"media/walkthrough/{name}"
        for name in ("accept.md", "example.py", "fill.md", "rewrite.md", "server.md")
    ),
    "media/walkthrough/type.md",
    "package.json",
    "readme.md",
    "server/constraints.txt",
}
TOPS = {"lsp_server", "model_runtime", "evaluation"}


@pytest.fixture(scope="module")
def package() -> Iterator[zipfile.ZipFile]:
    try:
        workbench.find()
    except workbench.Unavailable as missing:
        if os.environ.get("INFILL_LS_REQUIRE_EDITOR") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with zipfile.ZipFile(workbench.VSIX) as found:
        yield found


@pytest.fixture(scope="module")
def wheel(package: zipfile.ZipFile) -> zipfile.ZipFile:
    (name,) = (name for name in package.namelist() if name.endswith(".whl"))
    return zipfile.ZipFile(io.BytesIO(package.read(name)))


def test_the_extension_holds_what_it_needs_and_no_more(package: zipfile.ZipFile) -> None:
    held = {name.removeprefix("extension/") for name in package.namelist() if name.startswith("extension/")}
    assert {name for name in held if not name.endswith(".whl")} == EXTENSION


def test_the_extension_carries_the_licences_of_what_is_bundled(package: zipfile.ZipFile) -> None:
    text = package.read("extension/dist/LICENSES.txt").decode()
    for name in ("vscode-languageclient", "vscode-jsonrpc", "minimatch", "semver"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE)


def test_the_wheel_holds_the_packages_and_no_tests(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    modules = {path.relative_to(ROOT).as_posix() for top in TOPS for path in (ROOT / top).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == TOPS
    assert {"config.json", "model.int8.safetensors", "tokenizer.json", "README.md"} <= {
        name.removeprefix("model_runtime/embedded/") for name in names
    }


def test_the_wheel_carries_the_licences_of_what_is_bundled(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    told = re.findall(r"^License-File: (.+)$", wheel.read(metadata).decode(), re.MULTILINE)
    assert set(told) == {"LICENSE", "lsp_server/play/static/LICENSES.txt"}
    folder = metadata.removesuffix("METADATA") + "licenses/"
    assert b"Apache License" in wheel.read(folder + "LICENSE")
    bundled = wheel.read(folder + "lsp_server/play/static/LICENSES.txt").decode()
    for part in ("monaco-editor", "codicon.ttf", "marked", "DOMPurify"):
        assert part in bundled
