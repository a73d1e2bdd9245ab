"""What the list says of memory is what the arithmetic says."""

from __future__ import annotations

import pytest

from model_runtime.models.known import DREAMON, GEMMA, KNOWN, OPEN_DCODER
from model_runtime.network import memory_budget
from model_runtime.network.memory_budget import Working
from model_runtime.prompting import infillers
from tests.model_runtime.network import released_infillers
from tests.model_runtime.network.test_memory_budget import RELEASED, WORKING


def test_memory_in_the_list_is_the_arithmetic() -> None:
    listed = next(known for known in KNOWN if known.id == GEMMA).memory
    for kind, gb in listed.items():
        needed = memory_budget.total_bytes(RELEASED, WORKING, "bfloat16", kind)
        assert needed / 1e9 == pytest.approx(gb, abs=0.1)


@pytest.mark.parametrize("id", [DREAMON, OPEN_DCODER])
def test_memory_of_the_infillers_is_the_arithmetic(id: str) -> None:
    weights, keys, vocabulary = released_infillers.SIZES[id]
    working = Working.of_window(vocabulary, keys, memory_budget.WINDOW)
    listed = next(known for known in KNOWN if known.id == id)
    assert weights.parameters * 2 / 1e9 == pytest.approx(listed.gigabytes, abs=0.1)
    for kind, gb in listed.memory.items():
        needed = memory_budget.total_bytes(weights, working, "bfloat16", kind)
        assert needed / 1e9 == pytest.approx(gb, abs=0.1)


def test_every_infiller_with_a_record_is_listed() -> None:
    assert {record.id for record in infillers.KNOWN} <= {known.id for known in KNOWN}
