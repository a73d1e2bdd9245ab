"""The bidirectional pass over stock layers, against one that is written out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from model_runtime.network import backbone
from model_runtime.network.forward import KeyValues
from tests.support import tiny_infiller

VOCABULARY = 40


def network(kind: str) -> Any:
    return backbone.bidirectional(tiny_infiller.model(kind, VOCABULARY))


def whole(model: Any, ids: Tensor) -> Tensor:
    """Logits [1, N, V] of a canvas without anything kept."""
    count = ids.shape[1]
    seen = torch.ones(1, 1, count, count, dtype=torch.bool)
    with torch.no_grad():
        hidden = backbone.run(model, ids, torch.arange(count)[None], seen, KeyValues())
        return backbone.logits(model, hidden)


def by_hand(model: Any, ids: Tensor) -> Tensor:
    """Position by position and head by head, from the weights alone: every token sees every other."""
    w = {name: value.double() for name, value in model.state_dict().items()}
    hidden = w["model.embed_tokens.weight"][ids[0]]
    heads, shared, size = 4, 2, 4

    def norm(x: Tensor, name: str) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * w[name]

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)

    def turned(x: Tensor, position: int) -> Tensor:
        out = x.clone()
        for pair in range(size // 2):
            angle = position * 1e4 ** (-2 * pair / size)
            a, b = x[pair], x[pair + size // 2]
            out[pair] = a * math.cos(angle) - b * math.sin(angle)
            out[pair + size // 2] = b * math.cos(angle) + a * math.sin(angle)
        return out

    for layer in range(2):
        at = f"model.layers.{layer}."
        x = norm(hidden, at + "input_layernorm.weight")
        q, k, v = (linear(x, f"{at}self_attn.{part}_proj") for part in "qkv")
        rows = []
        for i in range(len(x)):
            parts = []
            for head in range(heads):
                own = slice(head * size, head * size + size)
                theirs = slice(head // (heads // shared) * size, head // (heads // shared) * size + size)
                weights = torch.stack(
                    [turned(q[i, own], i) @ turned(k[j, theirs], j) / size**0.5 for j in range(len(x))]
                ).softmax(0)
                parts.append(sum(weights[j] * v[j, theirs] for j in range(len(x))))
            rows.append(torch.cat(parts))  # type: ignore[arg-type]
        hidden = hidden + linear(torch.stack(rows), f"{at}self_attn.o_proj")
        x = norm(hidden, at + "post_attention_layernorm.weight")
        gate = torch.nn.functional.silu(linear(x, f"{at}mlp.gate_proj"))
        hidden = hidden + linear(gate * linear(x, f"{at}mlp.up_proj"), f"{at}mlp.down_proj")
    return norm(hidden, "model.norm.weight") @ w["lm_head.weight"].T


IDS = torch.tensor([[5, 9, 31, 2, 17, 22]])


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_it_is_the_pass_that_is_written_out(kind: str) -> None:
    model = network(kind)
    torch.testing.assert_close(whole(model, IDS)[0].double(), by_hand(model, IDS), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_the_first_row_sees_the_last_token(kind: str) -> None:
    model, changed = network(kind), IDS.clone()
    changed[0, -1] = 7
    assert (whole(model, IDS)[0, 0] - whole(model, changed)[0, 0]).abs().max() > 1e-3


def test_keys_that_are_moved_are_those_of_the_later_positions() -> None:
    model, count = network("qwen2"), IDS.shape[1]
    seen = torch.ones(1, 1, count, count, dtype=torch.bool)
    found = []
    for first in (0, 11):
        kv = KeyValues()
        with torch.no_grad():
            backbone.run(model, IDS, torch.arange(first, first + count)[None], seen, kv)
        found.append(kv.layers)
    for here, later in zip(*found, strict=True):
        torch.testing.assert_close(backbone.moved(model, here.keys, 11), later.keys, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(backbone.moved(model, later.keys, -11), here.keys, atol=1e-4, rtol=1e-4)
