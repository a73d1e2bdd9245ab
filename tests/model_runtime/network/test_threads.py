"""Only suggests: an environment that says how threads wait is left alone."""

from __future__ import annotations

import pytest

from model_runtime.network import threads

SPIN = "GOMP_SPINCOUNT"


@pytest.mark.parametrize(
    ("said", "expected"),
    [({}, threads.SPINS), ({SPIN: "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, None)],
)
def test_how_long_threads_spin(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], expected: str | None
) -> None:
    environment = dict(said)
    monkeypatch.setattr(threads.os, "environ", environment)
    threads.configure()
    assert environment.get(SPIN) == expected
