"""What the list says of memory is what the arithmetic says."""

from __future__ import annotations

import pytest

from model_runtime.models.known import GEMMA, KNOWN
from model_runtime.network import memory_budget
from tests.model_runtime.network.test_memory_budget import RELEASED, WORKING


def test_memory_in_the_list_is_the_arithmetic() -> None:
    listed = next(known for known in KNOWN if known.id == GEMMA).memory
    for kind, gb in listed.items():
        needed = memory_budget.total_bytes(RELEASED, WORKING, "bfloat16", kind)
        assert needed / 1e9 == pytest.approx(gb, abs=0.1)
