"""Servers of a remote backend."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lsp_server.cli import main
from lsp_server.config.settings import Settings
from lsp_server.doctor import servers
from tests.support.servers import free_port, started


@pytest.mark.parametrize(
    ("settings", "report", "key", "expected"),
    [
        (
            {"backend_url": "https://gpu"},
            {"servers": [["https://gpu", True, "m denoises on its canvas"]]},
            "k",
            [("ok", "INFILL_LS_API_KEY is set"), ("ok", "https://gpu: m denoises on its canvas")],
        ),
        (
            {"backend_url": "http://gpu,http://127.0.0.1:1"},
            {
                "servers": [
                    ["http://gpu", True, "m"],
                    ["http://127.0.0.1:1", False, "http://127.0.0.1:1 is away; go"],
                ]
            },
            "",
            [
                ("ok", "is not set"),
                ("ok", "http://gpu: m"),
                ("warning", "your text goes to http://gpu unencrypted"),
                ("problem", "http://127.0.0.1:1 is away"),
            ],
        ),
        (
            {"backend_url": "http://localhost", "device": "cuda"},
            {"servers": [["http://localhost", True, "m"]]},
            "k",
            [("ok", "is set"), ("ok", "m"), ("warning", "infill.device cuda has no effect")],
        ),
        (
            {"backend_url": "https://gpu", "adapter": "/mine"},
            {"servers": [["https://gpu", True, "m"]]},
            "k",
            [("ok", "is set"), ("ok", "m"), ("warning", "infill.adapter /mine has no effect on a server")],
        ),
        (
            {"backend_url": "https://gpu", "adapter": "/mine"},
            {"error": "no server; start one"},
            "k",
            [("problem", "no server"), ("warning", "infill.adapter /mine has no effect on a server")],
        ),
        (
            {"backend_url": "https://gpu"},
            {"error": "the tokenizer of x is not on this machine; get it with y"},
            "k",
            [("problem", "the tokenizer of x is not on this machine")],
        ),
    ],
)
def test_servers(
    settings: dict[str, str], report: dict[str, object], key: str, expected: list[tuple[str, str]]
) -> None:
    environment = {"INFILL_LS_API_KEY": key} if key else {}
    found = servers.check(Settings(backend="vllm", **settings), report, environment)  # type: ignore[arg-type]
    assert [finding.level for finding in found] == [level for level, _ in expected]
    for finding, (_, said) in zip(found, expected, strict=True):
        assert said in finding.message
        assert bool(finding.remedy) == (finding.level != "ok")


def test_the_command_asks_the_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("INFILL_LS_API_KEY", "s3cret-key")
    gone = f"http://127.0.0.1:{free_port()}"
    with started("--has", "chat", "--key", "s3cret-key", module="tests.support.text_server") as server:
        urls = f"{server.url},{gone}"
        result = CliRunner().invoke(main.main, ["doctor", "--backend", "openai", "--backend-url", urls])
        sent = "".join(server.seen())
    assert f"ok       server: {server.url}: embedded is asked by chat" in result.output
    assert f"problem  server: {gone} cannot be reached (connrefused)" in result.output
    assert "-> start the server or correct infill.backendUrl" in result.output
    assert result.exit_code == 1
    assert "s3cret-key" not in result.output + sent
    assert "memory" not in result.output
