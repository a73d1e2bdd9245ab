"""The bias of lengths: measured, interpolated, kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.loading import length_bias
from model_runtime.loading.length_bias import LengthBias
from model_runtime.protocol import Choice


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(tmp_path))
    return tmp_path


def test_it_is_the_mean_of_each_length() -> None:
    found = length_bias.measured({4: [-1.0, -3.0], 1: [-0.5], 8: []})
    assert found == LengthBias((1, 4), (-0.5, -2.0))


@pytest.mark.parametrize(("length", "nats"), [(1, -1.0), (2, -2.0), (4, -3.0), (16, -5.0), (99, -5.0)])
def test_between_lengths_and_beyond_them(length: int, nats: float) -> None:
    assert LengthBias((1, 4, 16), (-1.0, -3.0, -5.0))(length) == pytest.approx(nats)
    assert LengthBias((4,), (-3.0,))(1) == -3.0


def test_it_is_kept_for_each_model(cache: Path) -> None:
    mine, other = Choice(model="/models/mine"), Choice(model="/models/other")
    assert length_bias.load(mine) is None
    bias = LengthBias((1, 4), (-0.5, -2.0))
    file = length_bias.save(mine, bias)
    assert cache in file.parents
    assert length_bias.load(mine) == bias
    assert length_bias.load(other) is None
    for damaged in (b"{", b'{"lengths":[1],"nats":[]}', b'{"lengths":[],"nats":[]}'):
        file.write_bytes(damaged)
        assert length_bias.load(mine) is None


def test_a_length_that_is_always_sure_no_longer_wins() -> None:
    """Holes of one token look sure at any place: -0.2 on average. Here four tokens are surer than they
    usually are."""
    logprobs = [[-0.2], [-0.5] * 4]
    plain = CandidateLengths(survivors=1)
    assert plain.keep([1, 4], logprobs) == [0]
    corrected = CandidateLengths(survivors=1, bias=LengthBias((1, 4), (-0.2, -1.5)))
    assert corrected.keep([1, 4], logprobs) == [1]
