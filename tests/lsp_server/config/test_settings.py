from __future__ import annotations

import pytest

from lsp_server.config.settings import Settings, resolve, without_effect
from lsp_server.session.layered_settings import OPTIONS
from lsp_server.session.session import Session
from lsp_server.text.document import Snapshot


@pytest.mark.parametrize("raw", [None, {}, {"model": None, "languages": None}])
def test_nothing_said_means_the_defaults(raw: object) -> None:
    assert resolve(raw) == (Settings(), [])


def test_every_setting() -> None:
    raw = {
        "model": "some/model",
        "device": "cuda:1",
        "dtype": "auto",
        "quantization": "none",
        "backend": "vllm",
        "backendUrl": "https://gpu-1.example.com/llm/v1, http://[::1]:8000",
        "maxHoleTokens": 16,
        "deadlineMs": 400,
        "confidenceThreshold": 0.5,
        "languages": ["python", "go"],
        "exclude": ["*/secret/*"],
        "idleUnloadMinutes": 2.5,
        "logLevel": "debug",
    }
    settings, problems = resolve(raw)
    assert problems == []
    assert settings == Settings(
        model="some/model",
        device="cuda:1",
        backend="vllm",
        backend_url="https://gpu-1.example.com/llm/v1, http://[::1]:8000",
        max_hole_tokens=16,
        deadline_ms=400,
        confidence_threshold=0.5,
        languages=("python", "go"),
        exclude=("*/secret/*",),
        idle_unload_minutes=2.5,
        log_level="debug",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ""),
        ("model", 3),
        ("device", "gpu"),
        ("dtype", "float8"),
        ("backend", "tgi"),
        ("backendUrl", "gpu.example.com:8000"),
        ("backendUrl", "file:///etc/passwd"),
        ("backendUrl", "https://user:password@gpu.example.com"),
        ("backendUrl", "https://gpu.example.com/?key=secret"),
        ("backendUrl", "http://a,,http://b"),
        ("backendUrl", ["http://a"]),
        ("maxHoleTokens", 0),
        ("maxHoleTokens", 2.5),
        ("maxHoleTokens", True),
        ("deadlineMs", "fast"),
        ("confidenceThreshold", 1.5),
        ("confidenceThreshold", float("nan")),
        ("languages", "python"),
        ("languages", ["python", 3]),
        ("exclude", {}),
        ("idleUnloadMinutes", -1),
        ("logLevel", "loud"),
        ("logLevel", ["info"]),
        ("modle", "embedded"),
    ],
)
def test_a_bad_value_is_named_and_the_others_count(name: str, value: object) -> None:
    settings, problems = resolve({name: value, "deadlineMs": 77} if name != "deadlineMs" else {name: value})
    assert settings == Settings(deadline_ms=77 if name != "deadlineMs" else Settings().deadline_ms)
    assert len(problems) == 1
    assert problems[0].startswith(f"infill.{name}: ")
    assert "\n" not in problems[0]


@pytest.mark.parametrize("raw", [[], "embedded", 3])
def test_not_an_object(raw: object) -> None:
    settings, problems = resolve(raw)
    assert settings == Settings()
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("uri", "language", "reason"),
    [
        ("file:///home/me/a.py", "python", None),
        ("file:///home/me/a.py", "Python", None),
        ("file:///home/me/a.py", "py", None),
        ("untitled:Untitled-1", "python", None),
        ("http://[not a uri", "python", None),
        ("file:///home/me/a.lua", "lua", "language"),
        ("file:///home/me/a", "", "language"),
        ("file:///home/me/secret/a.py", "python", "excluded"),
        ("file:///home/me/%73ecret/a.py", "python", "excluded"),
    ],
)
def test_which_documents_are_completed(uri: str, language: str, reason: str | None) -> None:
    refusal = Settings(exclude=("*/secret/*",)).refusal(Snapshot(uri, 1, language, ""))
    assert (refusal and refusal.reason) == reason


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings(), ""),
        (Settings(backend="openai", next_edit_format="sweep"), ""),
        (Settings(backend="vllm", next_edit_format="sweep"), "'sweep' has no effect without infill.backend"),
        (Settings(next_edit_format="instruct"), "'instruct' has no effect with the embedded model"),
        (Settings(model="org/chat", next_edit_format="instruct"), ""),
        (Settings(backend="openai", next_edit_format="instruct"), ""),
    ],
)
def test_a_model_that_cannot_rewrite_regions_is_told(settings: Settings, told: str) -> None:
    lines = without_effect(settings)
    assert [told in line for line in lines] == [True] * bool(told)
    assert settings.rewrites_regions is (not told and settings.next_edit_format != "none")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"adapter": "/mine", "backend": "vllm", "backendUrl": "https://gpu", "trusted": True}, 1),
        ({"adapter": "/mine", "backend": "openai", "backendUrl": "https://gpu", "trusted": True}, 1),
        ({"adapter": "/mine", "trusted": True}, 0),
        ({"backend": "openai", "backendUrl": "https://gpu", "trusted": True}, 0),
    ],
)
def test_an_adapter_that_a_server_would_have_to_load(raw: dict, told: int) -> None:
    session = Session(lambda settings: _Closable())  # type: ignore[arg-type, return-value]
    session.in_background = lambda work: None  # type: ignore[method-assign]
    found = session.configure(OPTIONS, raw)
    assert len(found) == told
    assert all("--lora-modules NAME=FOLDER) and set infill.model to NAME" in line for line in found)
    assert not any("\n" in line for line in found)
    assert session.settings.backend == raw.get("backend", "local"), "nothing is set back"


class _Closable:
    def close(self) -> None: ...
