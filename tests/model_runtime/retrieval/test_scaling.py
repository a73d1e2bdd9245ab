"""Two numbers that turn a model's probability into a chance: how they are fitted, kept and combined."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from model_runtime.protocol import Choice
from model_runtime.retrieval import scaling
from model_runtime.retrieval.scaling import UNSCALED, Scale


@pytest.mark.parametrize("probability", [0.001, 0.25, 0.5, 0.9])
def test_unscaled_changes_nothing(probability: float) -> None:
    assert UNSCALED.chance(probability) == pytest.approx(probability)
    assert 0 < UNSCALED.chance(0.0) < UNSCALED.chance(1.0) < 1


def test_one_after_another() -> None:
    first, second = Scale(0.5, 1.0), Scale(2.0, -0.3)
    for probability in (0.1, 0.6):
        both = second.after(first).chance(probability)
        assert both == pytest.approx(second.chance(first.chance(probability)))


@pytest.mark.parametrize("true", [Scale(1.0, 0.0), Scale(0.5, -1.0), Scale(2.0, 1.0)])
def test_the_numbers_are_found_again(true: Scale) -> None:
    rng = random.Random(0)
    probabilities = [1 / (1 + math.exp(-rng.gauss(0, 2))) for _ in range(4_000)]
    claims = [(each, rng.random() < true.chance(each)) for each in probabilities]
    found = scaling.fitted(claims)
    assert (found.slope, found.intercept) == pytest.approx((true.slope, true.intercept), abs=0.15)


@pytest.mark.parametrize("right", [True, False])
def test_few_claims_that_agree_leave_room_for_doubt(right: bool) -> None:
    found = scaling.fitted([(0.9, right)] * 50)
    assert 0.001 < found.chance(0.9) < 0.999
    assert (found.chance(0.9) > 0.9) is right


def test_the_surer_text_never_gets_the_smaller_chance() -> None:
    found = scaling.fitted([(0.1, True), (0.9, False)] * 200)
    assert found.slope == 0
    assert found.chance(0.9) == found.chance(0.1) == pytest.approx(0.5, abs=0.01)


def test_each_model_has_its_own_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling.platformdirs, "user_cache_dir", lambda name: str(tmp_path))
    choice = Choice(model="a/b")
    assert scaling.load(choice) is None
    file = scaling.save(choice, Scale(0.5, 1.0))
    assert scaling.load(Choice(model="a/b", device="cuda")) == Scale(0.5, 1.0)
    for other in (Choice(model="a/c"), Choice(model="a/b", adapter="x"), Choice(model="a/b", backend="vllm")):
        assert scaling.load(other) is None
    one, two = (Choice(backend="openai", url=url) for url in ("http://a", "http://b"))
    assert scaling.path(one) != scaling.path(two), "the only model that a server has"
    file.write_bytes(b"{")
    assert scaling.load(choice) is None


def test_it_loads_without_torch() -> None:
    code = "import sys, model_runtime.retrieval.scaling; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
