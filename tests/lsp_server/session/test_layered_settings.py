"""Settings of several sources, and of folders."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.session.layered_settings import OPTIONS, LayeredSettings


@pytest.mark.parametrize(
    ("sources", "expected", "problems"),
    [
        ([(OPTIONS, {"deadlineMs": 7})], {"deadline_ms": 7}, 0),
        ([(OPTIONS, {"deadlineMs": 7}), ("configuration", {"deadlineMs": 8})], {"deadline_ms": 8}, 0),
        ([(OPTIONS, {"deadlineMs": 7}), ("configuration", {"deadlineMs": None})], {"deadline_ms": 7}, 0),
        (
            [(OPTIONS, {"deadlineMs": 7}), ("configuration", {"exclude": ["*"]})],
            {"deadline_ms": 7, "exclude": ("*",)},
            0,
        ),
        ([("configuration", {"exclude": ["*"]}), ("configuration", {})], {"exclude": ()}, 0),
        ([(OPTIONS, {"deadlineMs": 7}), ("configuration", "nonsense")], {"deadline_ms": 7}, 1),
        ([(OPTIONS, {"deadlineMs": 7}), ("configuration", None)], {"deadline_ms": 7}, 0),
        ([("configuration", {"exclude": ["*"]}), ("configuration", None)], {"exclude": ()}, 0),
        ([(OPTIONS, {"deadlineMs": 7}), (OPTIONS, None)], {"deadline_ms": 1500}, 0),
        ([(OPTIONS, {"trusted": True})], {}, 0),
        ([("configuration", {"trusted": True})], {}, 1),
    ],
)
def test_settings_of_several_sources(
    sources: list[tuple[str, Any]], expected: dict[str, Any], problems: int
) -> None:
    it = LayeredSettings()
    for source, raw in sources:
        it.say(source, raw, {})
    found = it.resolve()
    assert {name: getattr(it.general, name) for name in expected} == expected
    assert len(found) == problems


def test_a_folder_s_own_settings() -> None:
    it = LayeredSettings()
    it.use_folders(["file:///w", "file:///w/inner", "file:///other"])
    own = {"file:///w": {"exclude": ["*.c"]}, "file:///w/inner": {"deadlineMs": 9, "device": "cpu", "x": 1}}
    it.say("configuration", {"deadlineMs": 7}, own)
    assert it.resolve() == ["infill.x: there is no such setting"]
    deadlines = {path: it.at(f"file://{path}").deadline_ms for path in ("/w/a.py", "/b.py")}
    assert deadlines == {"/w/a.py": 1500, "/b.py": 7}
    inner = it.at("file:///w/inner/a.py")
    assert (inner.deadline_ms, inner.exclude, inner.device) == (9, (), "auto"), "the device is the worker's"
    rules = it.rules()
    assert [rules.at(path).exclude for path in ("/w/a.c", "/w/inner/a.c", "/other/a.c")] == [("*.c",), (), ()]
    it.use_folders(["file:///other"])
    it.resolve()
    assert it.at("file:///w/a.py").deadline_ms == 7
