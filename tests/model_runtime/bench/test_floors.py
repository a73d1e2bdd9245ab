"""Bytes of a step by arithmetic, against those counted in a model that is there, and the released one's."""

from __future__ import annotations

import pytest
import torch

from model_runtime.bench import floors, steps
from model_runtime.bench.released import random_model


def test_a_step_reads_what_a_model_holds() -> None:
    denoiser = steps.local_denoiser(random_model("tiny", torch.device("cpu")))
    found = next(one for one in floors.floors("tiny") if one.kind == "none" and one.rows == 8)
    counted = steps.bytes_read(denoiser, floors.PREFIX, found.experts)
    assert found.held == found.touched == pytest.approx(counted, rel=0.01)


def test_the_released_geometry() -> None:
    """As counted from the checkpoint's own header; what is widened is touched twice more."""
    found = {(one.kind, one.canvas, one.rows): one for one in floors.floors()}
    assert found["none", 256, 1].held / 1e9 == pytest.approx(52.2, rel=0.01)
    assert found["fp8", 64, 1].held / 1e9 == pytest.approx(27.3, rel=0.02)
    sizes = [found[kind, 64, 1].held for kind in ("none", "fp8", "int4")]
    assert sizes == sorted(sizes, reverse=True)
    assert found["fp8", 64, 1].touched == found["fp8", 64, 1].held
    assert found["int4", 64, 1].touched > found["none", 64, 1].touched
    assert floors.table(list(found.values())).count("\n") == 1 + len(found)
