"""What is warmed up, and that nothing is compiled after it: dynamo's graphs are counted, on a CPU."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.inference import warm_up
from model_runtime.inference.engine import Engine
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.network import compilation
from model_runtime.prompting.layout import Tokens
from model_runtime.protocol import Fixed, Infill, Slot
from tests.support import tiny

PROFILES = {
    "a filler": tiny.STEPS,
    "several lengths": dataclasses.replace(tiny.STEPS, filler=None, length=CandidateLengths()),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PROFILES)
def test_after_it_nothing_is_compiled(name: str) -> None:
    torch._dynamo.reset()
    graphs, profile, told = CompileCounter(), PROFILES[name], []
    denoiser = LocalDenoiser(
        tiny.model(),
        profile,
        PrefixCache(1 << 28),
        static=True,
        late=True,
        compiler=lambda function: torch.compile(function, backend=graphs),
    )
    engine = Engine("tiny", denoiser, Tokens(tiny.tokenizer(), profile))
    warm_up.run(engine, tiny.model().config.text_config.sliding_window, told.append, compiled=True)
    assert told == sorted(told)
    assert told[-1] == 1.0
    prepared = graphs.frame_count
    assert 0 < prepared <= 8, "more graphs than dynamo keeps"
    for lines, slot, after, count in itertools.product((1, 60, 200), (1, 5, 30), (0, 7), (1, 4)):
        canvas = (Fixed("z = "), Slot(slot), Fixed("\n" + "a = b\n" * after))
        engine.run(Infill(0, "", "y = 2\n" * lines, canvas, candidates=count))
    engine.run(Infill(0, "", "y = 2\n", (Slot(4), Fixed(" = "), Slot(4), Fixed("\n"))))
    assert graphs.frame_count == prepared


class Counted:
    def __init__(self, fails: tuple[int, ...]) -> None:
        self.tokens, self.fails, self.asked = tiny.tokens(), fails, 0

    def run(self, request: Infill) -> None:
        self.asked += 1
        if self.asked in self.fails:
            raise Unfillable("failed", "out of memory")


@pytest.mark.parametrize(
    ("compiled", "fails", "asked"), [(False, (), 1), (True, (), 6), (True, (3,), 6), (True, (1,), 1)]
)
def test_a_shape_that_fails_does_not_keep_the_model_from_loading(
    compiled: bool, fails: tuple[int, ...], asked: int
) -> None:
    engine = Counted(fails)
    if 1 in fails:
        with pytest.raises(Unfillable):
            warm_up.run(engine, 256, lambda done: None, compiled=compiled)  # type: ignore[arg-type]
    else:
        warm_up.run(engine, 256, lambda done: None, compiled=compiled)  # type: ignore[arg-type]
    assert engine.asked == asked


def test_torch_says_when_it_compiles() -> None:
    torch._dynamo.reset()
    seen = []
    compilation.follow()
    compilation.follow()

    def backend(module, inputs):
        seen.append(compilation.CURRENT.running)
        return module.forward

    torch.compile(lambda x: x + 1, backend=backend)(torch.ones(2))
    assert seen == [True]
    assert not compilation.CURRENT.running
    assert compilation.CURRENT.ended > 0
