"""The comparison of this machine with a server, and the count of what many users got from one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import served, served_load
from model_runtime.training import held_out
from tests.support.servers import started


@pytest.mark.slow
def test_the_same_places_to_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "served.json"
    data = str(served_load.DATA)
    monkeypatch.setattr(served, "ROUNDS", 1)
    with started() as server:
        arguments = ["served", data, "--url", server.url, "--limit", "1", "--json", str(out)]
        monkeypatch.setattr("sys.argv", arguments)
        assert served.main() == 0
    found = json.loads(out.read_text())
    assert {row["contender"] for row in found["rows"]} == {"local", "vllm"}
    assert found["places"] == 5
    assert found["ranking_ms"]["ratio"] > 0


def test_what_is_typed_is_asked_for_as_it_stands() -> None:
    hole = next(hole for hole in held_out.read(served_load.DATA) if hole.kind == "end-of-line")
    request = served_load._request(hole, 3)
    head = request.canvas[0]
    assert request.prefix + head.text == hole.before + hole.middle[:3]  # type: ignore[union-attr]


BEFORE = dict.fromkeys(served_load.NAMES, 0.0)
AFTER = BEFORE | {"prefix_cache_queries_total": 100.0, "prefix_cache_hits_total": 75.0}


@pytest.mark.parametrize(
    ("seen", "running", "held"),
    [
        ({"asked": 3, "answered": 2, "cancelled": 1}, 0.0, True),
        ({"asked": 4, "answered": 2, "cancelled": 1}, 0.0, False),  # one is lost
        ({"asked": 3, "cancelled": 3}, 0.0, False),  # nobody was served
        ({"asked": 3, "answered": 2, "refused: x": 1}, 0.0, False),
        ({"asked": 3, "answered": 2, "cancelled": 1}, 1.0, False),  # a cancelled one goes on
    ],
)
def test_what_has_to_hold(seen: dict[str, int], running: float, held: bool) -> None:
    user: Any = SimpleNamespace(seen=Counter(seen), waits_ms=[100.0] * seen.get("answered", 0))
    found = served_load.summary([user, user], BEFORE, AFTER | {"num_requests_running": running}, 0.1)
    assert found["held"] is held
    assert found["prefix_cache_hit_share"] == 0.75
