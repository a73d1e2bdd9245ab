from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.config.settings import Settings
from lsp_server.config.workspace_trust import without_untrusted
from lsp_server.session.layered_settings import OPTIONS
from lsp_server.session.session import Session


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ws" / "model").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "ws" / "model")
    (tmp_path / "way-out").symlink_to("way-out")
    monkeypatch.chdir(tmp_path / "ws")
    return tmp_path / "ws"


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("embedded", False),
        ("org/name", False),
        ("{ws}/model", True),
        ("{ws}", True),
        ("./model", True),
        (".", True),
        ("../outside", False),
        ("{ws}/../outside", False),
        ("{ws}/../outside/../ws/model", True),
        ("{ws}/../link", True),
        ("{ws}-other", False),
        ("{ws}/../way-out", True),
        ("~/models/m", False),
        ("https://example.com/m", True),
        ("file:///{ws}/model", True),
    ],
)
@pytest.mark.parametrize("told", [True, False], ids=["folders known", "no folders"])
def test_models(workspace: Path, model: str, refused: bool, told: bool) -> None:
    settings = Settings(model=model.format(ws=workspace), deadline_ms=77)
    got, problems = without_untrusted(settings, [workspace] if told else [], trusted=False)
    assert got == (replace(settings, model="embedded") if refused else settings)
    assert len(problems) == refused
    for problem in problems:
        assert problem.startswith("infill.model: ")
        assert "trusted" in problem
    assert without_untrusted(settings, [workspace], trusted=True) == (settings, [])


def test_a_url_for_the_backend(workspace: Path) -> None:
    settings = Settings(backend="vllm", backend_url="https://example.com")
    got, (problem,) = without_untrusted(settings, [], trusted=False)
    assert got == Settings(), "completed here instead"
    assert problem.startswith("infill.backendUrl: ")


@pytest.mark.parametrize(
    ("options", "configuration", "model", "problems"),
    [
        ({"model": "{ws}/model"}, {}, "embedded", 1),
        ({"model": "{ws}/model", "trusted": True}, {}, "{ws}/model", 0),
        ({"trusted": True}, {"model": "{ws}/model"}, "{ws}/model", 0),
        ({"trusted": "yes"}, {"model": "{ws}/model"}, "embedded", 1),
        ({}, {"model": "{ws}/model", "trusted": True}, "embedded", 2),  # a workspace cannot vouch for itself
        (None, {"model": "{ws}/model"}, "embedded", 1),
    ],
)
def test_only_the_client_itself_can_vouch(
    workspace: Path, options: dict | None, configuration: dict, model: str, problems: int
) -> None:
    def filled(raw: dict | None) -> dict | None:
        ws = str(workspace)
        return raw and {k: v.replace("{ws}", ws) if isinstance(v, str) else v for k, v in raw.items()}

    session = Session(lambda settings: _Closable())  # type: ignore[arg-type, return-value]
    session.in_background = lambda work: None  # type: ignore[method-assign]
    session.use_folders([workspace.as_uri()])
    found = session.configure(OPTIONS, filled(options))
    found = session.configure("configuration", filled(configuration)) or found
    assert session.settings.model == model.format(ws=workspace)
    assert len(found) == problems


class _Closable:
    def close(self) -> None: ...
