"""What clients and the documentation say of the server's settings and commands, against its own tables."""

from __future__ import annotations

import importlib.util
import json
from types import ModuleType

import pytest

from lsp_server.config.settings import SETTINGS, Settings, default_of, resolve
from lsp_server.handlers.server import COMMANDS
from tests.support.paths import ROOT

CLIENT = ROOT / "editor-clients" / "vscode"
MANIFEST = json.loads((CLIENT / "package.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings_script", CLIENT / "scripts" / "settings.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_up_to_date(generator: ModuleType) -> None:
    stale = [path.relative_to(ROOT).as_posix() for path, _ in generator.stale()]
    assert stale == [], "run: python editor-clients/vscode/scripts/settings.py"


def test_an_outdated_one_is_noticed(generator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SETTINGS, "device")
    assert len(list(generator.stale())) == 3


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting(name: str) -> None:
    """Its default is accepted, one line describes it, and the schema takes what is accepted."""
    setting, default = SETTINGS[name], default_of(name)
    assert resolve({name: default}) == (Settings(), [])
    assert setting.description.strip() == setting.description
    assert not {"\n", "|"} & set(setting.description)
    kinds = {"string": str, "integer": int, "number": (int, float), "array": list, "boolean": bool}
    assert isinstance(default, kinds[setting.check.schema["type"]])
    for each in setting.check.schema.get("enum", ()):
        assert resolve({name: each})[1] == []


def test_every_field_is_a_setting() -> None:
    assert len(SETTINGS) == len(Settings.__dataclass_fields__)


def test_what_consent_guards_is_personal() -> None:
    """A client that vouches for its settings reads these from the user's own alone."""
    assert {"model", "backend", "backendUrl"} <= {name for name, it in SETTINGS.items() if it.personal}


def test_vs_code_takes_no_personal_setting_from_a_workspace() -> None:
    contributed = {
        name: it
        for part in MANIFEST["contributes"]["configuration"]
        for name, it in part["properties"].items()
    }
    restricted = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) <= set(contributed)
    own = {"infill.serverPath", "infill.pythonPath"}
    for name in own | {f"infill.{name}" for name, it in SETTINGS.items() if it.personal}:
        assert contributed[name]["scope"] == "machine"
        assert name in restricted


def test_vs_code_commands_are_not_the_server_s() -> None:
    """vscode-languageclient registers the server's under their own names."""
    names = [each["command"] for each in MANIFEST["contributes"]["commands"]]
    assert len(set(names)) == len(names)
    assert set(names).isdisjoint(COMMANDS)


def test_vs_code_commands_that_are_named_exist() -> None:
    names = {each["command"] for each in MANIFEST["contributes"]["commands"]}
    contributes = MANIFEST["contributes"]
    named = [each["command"] for each in contributes["keybindings"]]
    named += [each["command"] for menu in contributes["menus"].values() for each in menu]
    text = json.dumps(contributes["walkthroughs"])
    assert {name for name in named if name.startswith("infill.")} <= names
    for name in names:
        source = "".join(path.read_text("utf-8") for path in (CLIENT / "src").glob("*.ts"))
        assert f"{name.removeprefix('infill.')}:" in source, f"{name} is not registered"
    for word in text.replace(")", " ").replace('"', " ").split():
        if "command:infill." in word or "onCommand:infill." in word:
            assert word.rpartition("ommand:")[2] in names


def test_the_extension_has_the_server_s_version() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert MANIFEST["version"] == project["version"]
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_lock_file_names_no_registry() -> None:
    lock = (CLIENT / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://registry" not in lock
