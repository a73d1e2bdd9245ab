"""A tiny network that has learnt to go on counting: after 7 comes 8. In it a token that is read one position
off is wrong by one."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from typing import Any

import torch

from model_runtime.diffusion import masked_rules
from model_runtime.diffusion.masked import Marks
from model_runtime.diffusion.token_choice import TokenChoice, probability
from model_runtime.network import backbone
from model_runtime.network.forward import KeyValues
from model_runtime.prompting.infillers import DREAMON, Infiller
from tests.support import tiny_infiller

PAD, MASK, EXPAND, DELETE, BASE = 0, 1, 2, 3, 4
COUNTED, ROWS, LENGTH = 12, 16, 12  # numbers, ids, most tokens of an example
STEPS, ROWS_A_STEP = 300, 32


def number(n: int) -> int:
    return BASE + n % COUNTED


def record(*, shifted: bool = True) -> Infiller:
    return replace(
        DREAMON,
        marks=Marks(MASK),
        bos=None,
        eos=None,
        pad=PAD,
        shifted=shifted,
        rule=masked_rules.scheduled,
        choice=TokenChoice(probability),
        steps=16,
    )


@functools.cache
def model() -> Any:
    """Trained to tell the token of a position at the one before it."""
    made = backbone.bidirectional(copy.deepcopy(tiny_infiller.model("qwen2", ROWS))).train()
    for parameter in made.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
        else:
            torch.nn.init.constant_(parameter, 0.0)
    for name, parameter in made.named_parameters():
        if "norm" in name:
            torch.nn.init.constant_(parameter, 1.0)
    noise = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(made.parameters(), lr=0.01)
    for _ in range(STEPS):
        length = int(torch.randint(5, LENGTH + 1, (), generator=noise))
        first = torch.randint(COUNTED, (ROWS_A_STEP, 1), generator=noise)
        ids = BASE + (first + torch.arange(length)) % COUNTED
        hidden_at = torch.rand(ids.shape, generator=noise) < torch.rand(ROWS_A_STEP, 1, generator=noise)
        hidden_at[:, 0] = False
        shown = torch.where(hidden_at, MASK, ids)
        positions = torch.arange(length).expand(ROWS_A_STEP, -1)
        seen = torch.ones(ROWS_A_STEP, 1, length, length, dtype=torch.bool)
        hidden = backbone.run(made, shown, positions, seen, KeyValues())
        logits = backbone.logits(made, hidden)
        logits = torch.cat([logits[:, :1], logits[:, :-1]], 1)
        loss = torch.nn.functional.cross_entropy(logits[hidden_at], ids[hidden_at])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return made.eval()
