"""The layers of the network of `modules`, with few and large operations: what multiplies the same rows is one
matrix. Products are as `arithmetic` has them, all else is fp32.

Shapes: B rows of T tokens, H hidden, D head dim, E experts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.network.arithmetic import matrix
from model_runtime.network.forward import FULL, SLIDING, picked

ROPES = {SLIDING: "default", FULL: "proportional"}
ENCODER, DECODER = "model.encoder.language_model.", "model.decoder."
_SLOPE = 2 * math.sqrt(2 / math.pi)  # of the activation

BLOCK = 64  # queries that attend at once

Attended = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # new keys and values -> all to attend to


class Weights:
    """The weights of a file by name, each in the shape that it is expected to have."""

    def __init__(self, stored: Mapping[str, Tensor], kind: str) -> None:
        """`kind`: how matrices are to be multiplied."""
        self._stored, self.kind = stored, kind

    def tensor(self, name: str, *shape: int) -> Tensor:
        """fp32. Shared weights are stored under one of several names. Raises KeyError where it is missing,
        ValueError where it has another shape."""
        others = (name.replace(ENCODER, DECODER), name.replace(DECODER, ENCODER))
        found = self._stored[next((known for known in (name, *others) if known in self._stored), name)]
        if tuple(found.shape) != shape:
            raise ValueError(f"{name} is {tuple(found.shape)} instead of {shape}")
        return found


class Norm:
    """Divides by the root mean square of the last dimension; `weight` [...] multiplies it where there is
    one."""

    def __init__(self, eps: float, weight: Tensor | None = None) -> None:
        self._eps, self._weight = eps, weight

    def __call__(self, x: Tensor) -> Tensor:
        mean = torch.linalg.vecdot(x, x).mul_(1 / x.shape[-1])
        normed = x * mean.add_(self._eps).rsqrt_()[..., None]
        return normed if self._weight is None else normed.mul_(self._weight)


class Rotary:
    def __init__(self, text: Any) -> None:
        self._frequencies = {kind: _frequencies(text, kind) for kind in ROPES}

    def __call__(self, positions: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        """positions [B, T] -> the cosines and signed sines [B, T, 1, D] that `_rotated` takes."""
        angles = (positions[..., None].float() * self._frequencies[kind])[:, :, None]
        cos, sin = angles.cos(), angles.sin()
        return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


class Gated:
    """A gated feed-forward block."""

    def __init__(self, weights: Weights, name: str, text: Any) -> None:
        size, inner = text.hidden_size, text.intermediate_size
        gate, up = (weights.tensor(f"{name}{part}_proj.weight", inner, size) for part in ("gate", "up"))
        self._gate_up = matrix(torch.cat([gate, up]), weights.kind)
        self._down = matrix(weights.tensor(f"{name}down_proj.weight", size, inner), weights.kind)

    def __call__(self, hidden: Tensor) -> Tensor:
        gate, up = self._gate_up(hidden).chunk(2, dim=-1)
        return self._down(_act(gate).mul_(up))


class SelfConditioning:
    def __init__(self, weights: Weights, text: Any) -> None:
        name, size, eps = f"{DECODER}self_conditioning.", text.hidden_size, text.rms_norm_eps
        self._gated = Gated(weights, name, text)
        self._before, self._after = Norm(eps, weights.tensor(f"{name}pre_norm.weight", size)), Norm(eps)

    def __call__(self, embedded: Tensor, signal: Tensor) -> Tensor:
        return self._after(self._gated(self._before(signal)).add_(embedded))


class Experts:
    """All experts, each on every row, and the router that weights them."""

    def __init__(self, weights: Weights, name: str, text: Any) -> None:
        count, size, inner = text.num_experts, text.hidden_size, text.moe_intermediate_size
        proj = weights.tensor(f"{name}router.proj.weight", count, size)
        self._router = proj * weights.tensor(f"{name}router.scale", size) * size**-0.5
        self._scale = weights.tensor(f"{name}router.per_expert_scale", count)
        both = weights.tensor(f"{name}experts.gate_up_proj", count, 2 * inner, size)
        gates_first = both.unflatten(1, (2, inner)).transpose(0, 1).flatten(0, 2)
        self._gate_up = matrix(gates_first, weights.kind)
        down = weights.tensor(f"{name}experts.down_proj", count, size, inner)
        self._down = [matrix(one, weights.kind) for one in down]

    def shares(self, normed: Tensor) -> Tensor:
        """The weight of every expert: [..., H] -> [..., E]."""
        return F.linear(normed, self._router).softmax(-1) * self._scale

    def __call__(self, hidden: Tensor, shares: Tensor) -> Tensor:
        gate, up = self._gate_up(hidden).chunk(2, dim=-1)
        inner = _act(gate).mul_(up).chunk(len(self._down), dim=-1)
        each = zip(self._down, inner, shares.split(1, dim=-1), strict=True)
        return reduce(Tensor.add_, (down(one).mul_(share) for down, one, share in each))


@dataclass(frozen=True)
class View:
    """Which keys tokens may attend to, some queries at a time, so that few products are made that a mask
    would hide."""

    blocks: Sequence[tuple[slice, slice, Tensor | None]]  # queries, keys, what is added to their products

    @staticmethod
    def of(mask: Tensor | None, wanted: Tensor | None = None) -> View:
        """`mask`: bool [B or 1, 1, T, keys]; None where all are seen. `wanted` [B, K]: only these tokens."""
        if mask is None:
            return View([(slice(None), slice(None), None)])
        if wanted is not None:
            mask = picked(mask[:, 0].expand(len(wanted), -1, -1), wanted)[:, None]
        added = torch.zeros(mask.shape).masked_fill_(~mask, float("-inf"))
        blocks = []
        for first in range(0, mask.shape[2], BLOCK):
            queries = slice(first, first + BLOCK)
            seen = mask[:, :, queries].flatten(0, 2).any(0).nonzero()
            keys = slice(int(seen[0]), int(seen[-1]) + 1)
            blocks.append((queries, keys, added[:, :, queries, keys]))
        return View(blocks)


class Attention:
    def __init__(self, weights: Weights, name: str, text: Any, kind: str) -> None:
        size, self._head = text.hidden_size, text.head_dim
        self._queries, self._keys = text.num_attention_heads, text.num_key_value_heads
        parts = {"q": self._queries, "k": self._keys}
        if kind == SLIDING:
            parts["v"] = self._keys  # without them values are the keys
        rows = [weights.tensor(f"{name}{p}_proj.weight", n * self._head, size) for p, n in parts.items()]
        self._project = matrix(torch.cat(rows), weights.kind)
        self._out = matrix(
            weights.tensor(f"{name}o_proj.weight", size, self._queries * self._head), weights.kind
        )
        self._norm = Norm(text.rms_norm_eps)
        scales = {p: weights.tensor(f"{name}{p}_norm.weight", self._head) for p in ("q", "k")}
        self._scales = torch.stack([scales["q"]] * self._queries + [scales["k"]] * self._keys)

    def projected(self, hidden: Tensor, rotary: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """hidden [B, T, H] -> queries [B, T, heads x D], keys and values [B, heads, T, D]."""
        heads = self._norm(self._project(hidden).unflatten(-1, (-1, self._head)))
        both = _rotated(heads[:, :, : len(self._scales)] * self._scales, *rotary)
        queries, keys = both.split((self._queries, self._keys), dim=2)
        values = heads[:, :, -self._keys :]
        return queries.flatten(2), keys.transpose(1, 2).contiguous(), values.transpose(1, 2).contiguous()

    def mixed(self, queries: Tensor, keys: Tensor, values: Tensor, view: View) -> Tensor:
        """What queries [B, T, heads x D] find: [B, T, H]."""
        heads = queries.unflatten(-1, (-1, self._head)).transpose(1, 2)
        found = [
            F.scaled_dot_product_attention(
                heads[:, :, some],
                keys[:, :, seen],
                values[:, :, seen],
                attn_mask=added,
                scale=1.0,
                enable_gqa=True,
            ).transpose(1, 2)
            for some, seen, added in view.blocks
        ]
        return self._out(torch.cat(found, dim=1).flatten(2))


class Layer:
    """What encoder and decoder share of a layer."""

    def __init__(self, weights: Weights, text: Any, index: int) -> None:
        name = f"{ENCODER}layers.{index}."

        def scale(part: str) -> Tensor:
            return weights.tensor(f"{name}{part}.weight", text.hidden_size)

        def norm(part: str) -> Norm:
            return Norm(text.rms_norm_eps, scale(part))

        self._before_attention = norm("input_layernorm")
        self._after_attention = norm("post_attention_layernorm")
        self._dense_scale = scale("pre_feedforward_layernorm")
        self._routed_scale = scale("pre_feedforward_layernorm_2")
        self._after_dense = norm("post_feedforward_layernorm_1")
        self._after_routed = norm("post_feedforward_layernorm_2")
        self._after_both = norm("post_feedforward_layernorm")
        self._plain = Norm(text.rms_norm_eps)
        self._attention = Attention(weights, f"{name}self_attn.", text, text.layer_types[index])
        self._dense = Gated(weights, f"{name}mlp.", text)
        self._experts = Experts(weights, name, text)

    def __call__(
        self,
        hidden: Tensor,
        rotary: tuple[Tensor, Tensor],
        view: View,
        attended: Attended,
        wanted: Tensor | None,
    ) -> Tensor:
        """hidden [B, T, H] -> the same, or [B, K, H] of the tokens `wanted` [B, K], whose `view` it is."""
        queries, keys, values = self._attention.projected(self._before_attention(hidden), rotary)
        keys, values = attended(keys, values)
        if wanted is not None:
            hidden, queries = picked(hidden, wanted), picked(queries, wanted)
        if not hidden.numel():
            return hidden
        mixed = self._attention.mixed(queries, keys, values, view)
        hidden = self._after_attention(mixed).add_(hidden)
        normed = self._plain(hidden)
        dense = self._after_dense(self._dense(normed * self._dense_scale))
        shares = self._experts.shares(normed)
        routed = self._after_routed(self._experts(normed * self._routed_scale, shares))
        return self._after_both(dense.add_(routed)).add_(hidden)


def _frequencies(text: Any, kind: str) -> Tensor:
    """[head dim / 2]; zero for the dimensions that a proportional rotation leaves alone."""
    rope = text.rope_parameters[kind]
    count = int(rope.get("partial_rotary_factor", 1.0) * text.head_dim // 2)
    steps = torch.arange(0, 2 * count, 2, dtype=torch.float, device="cpu") / text.head_dim
    return F.pad(1.0 / rope["rope_theta"] ** steps, (0, text.head_dim // 2 - count))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [B, T, heads, D] rotated by angles; see `Rotary`."""
    return (x * cos).addcmul_(x.roll(x.shape[-1] // 2, dims=-1), sin)


def _act(x: Tensor) -> Tensor:
    """GELU with tanh, by its equal x * sigmoid(2y), which takes half the time."""
    y = x.square().mul_(0.044715 * _SLOPE).add_(_SLOPE).mul_(x)
    return y.sigmoid_().mul_(x)
