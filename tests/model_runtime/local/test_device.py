"""The engine's arithmetic on `pytest --device=DEVICE`, compiled where that is a GPU, against the CPU's.

On the processor itself padded shapes are compared with plain ones.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from model_runtime.diffusion.interface import Branch, Row
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache, PrefixCache
from model_runtime.prompting.profiles import EMBEDDED
from tests.support import tiny

PROMPT = [8 + i * 7 % 400 for i in range(300)]
DRAFT = Row([9, 20, 30, 40, 7], [True, False, False, False, True], draft=True)  # begins with no noise
POLICY = replace(EMBEDDED.policy, max_steps=1)


@pytest.fixture(scope="module")
def there(device: str) -> LocalDenoiser:
    model: Any = copy.deepcopy(tiny.model())
    return LocalDenoiser(model.to(device), EMBEDDED, PrefixCache(1 << 24), static=True, late=True)


def test_scores_are_the_same(there: LocalDenoiser) -> None:
    here = LocalDenoiser(tiny.model(), EMBEDDED, NoCache())
    branches = [Branch([11, 12, 13], [14]), Branch([15], [14])]
    for mine, theirs in zip(
        here.score(PROMPT, [9], branches), there.score(PROMPT, [9], branches), strict=True
    ):
        assert theirs.ids == pytest.approx(mine.ids, rel=2e-2, abs=2e-2)
        assert theirs.after == pytest.approx(mine.after, rel=2e-2, abs=2e-2)


def test_a_draft_is_mended_the_same(there: LocalDenoiser) -> None:
    here = LocalDenoiser(tiny.model(), EMBEDDED, NoCache())
    found = [
        next(each.denoise(PROMPT, [DRAFT, DRAFT], POLICY, seed=0)).read().logprobs for each in (here, there)
    ]
    for mine, theirs in zip(*found, strict=True):
        assert torch.tensor(theirs) == pytest.approx(torch.tensor(mine), rel=2e-2, abs=2e-2)
