"""The two passes of a DiffusionGemma over explicit key/value tensors, positions and masks.

The stock model ties these to its own cache classes, whose sliding-window layers forget what a
rolled-back prefix would need. Here every layer's full KV is the caller's; the window is a mask or a
slice. Both the local denoiser and the training objective run through these functions.
Knows the modules of `DiffusionGemmaForBlockDiffusion`, not how they were loaded.

Shapes: B rows, P prefix tokens, C canvas tokens, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from model_runtime.network.quantized_layers import PackedTable

FULL, SLIDING = "full_attention", "sliding_attention"  # layer types
Masks = Mapping[str, Tensor | None]  # layer type -> bool [B, 1, queries, keys] (True: may attend) or None


@dataclass
class LayerKV:
    keys: Tensor  # [B, kv heads, tokens, head dim]
    values: Tensor


@dataclass
class KeyValues:
    """Per-layer keys and values; speaks the part of transformers' `Cache` that the layers call."""

    layers: list[LayerKV] = field(default_factory=list)
    is_compileable = False

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any) -> tuple[Tensor, Tensor]:
        """Append new tokens to `layer`; returns all of its keys and values."""
        if layer == len(self.layers):
            self.layers.append(LayerKV(keys, values))
        else:
            old = self.layers[layer]
            self.layers[layer] = LayerKV(
                torch.cat([old.keys, keys], dim=2), torch.cat([old.values, values], dim=2)
            )
        return self.layers[layer].keys, self.layers[layer].values

    def __len__(self) -> int:
        return self.layers[0].keys.shape[2] if self.layers else 0


def _run(
    stack: Any, hidden: Tensor, positions: Tensor, masks: Masks, kv: KeyValues, wanted: Tensor | None
) -> Tensor:
    if hasattr(stack, "run"):  # of `modules`
        return stack.run(hidden, positions, masks, kv, wanted)
    types: list[str] = stack.config.get_text_config().layer_types
    rotary = {kind: stack.rotary_emb(hidden, positions, kind) for kind in sorted(set(types))}
    for kind, layer in zip(types, stack.layers, strict=True):
        hidden = layer(
            hidden,
            position_embeddings=rotary[kind],
            attention_mask=masks[kind],
            position_ids=positions,
            past_key_values=kv,
        )
    return stack.norm(hidden if wanted is None else picked(hidden, wanted))


def picked(x: Tensor, wanted: Tensor) -> Tensor:
    """Of x [B, T, H] the tokens `wanted` [B, K]: [B, K, H]."""
    return x.gather(1, wanted[..., None].expand(-1, -1, x.shape[-1]))


def encode(
    model: Any,
    ids: Tensor,
    positions: Tensor,
    masks: Masks,
    kv: KeyValues,
    embedded: Tensor | None = None,
    wanted: Tensor | None = None,
) -> Tensor:
    """Causal pass: ids [B, P], or what they are `embedded` as [B, P, H] -> hidden [B, P, H], or that of the
    tokens `wanted` [B, K]: [B, K, H]. Appends to `kv`."""
    stack = model.model.encoder.language_model
    hidden = stack.embed_tokens(ids) if embedded is None else embedded
    return _run(stack, hidden, positions, masks, kv, wanted)


def decode(
    model: Any,
    ids: Tensor,
    signal: Tensor,
    positions: Tensor,
    masks: Masks,
    kv: KeyValues,
    wanted: Tensor | None = None,
) -> Tensor:
    """Bidirectional pass over canvases: ids [B, C], self-conditioning signal [B, C, H] -> hidden
    [B, C, H], or that of the tokens `wanted` [B, K]: [B, K, H]. Reads `kv`, never writes it."""
    stack = model.model.decoder
    hidden = stack.self_conditioning(stack.embed_tokens(ids), signal)
    return _run(stack, hidden, positions, masks, kv, wanted)


def logits(model: Any, hidden: Tensor) -> Tensor:
    """Soft-capped fp32 logits [..., V]; pass only the rows that need them."""
    cap = model.final_logit_softcapping
    return torch.tanh(model.lm_head(hidden).float() / cap) * cap


def embed(model: Any, ids: Tensor) -> Tensor:
    """Scaled token embeddings: the self-conditioning signal of a token known for certain."""
    return model.model.decoder.embed_tokens(ids)


def soft_embed(model: Any, probabilities: Tensor) -> Tensor:
    """Self-conditioning signal [..., H] of a distribution [..., V] over tokens."""
    table = model.model.decoder.embed_tokens
    if isinstance(table, PackedTable):
        return table.mixed(probabilities)
    return (probabilities.to(table.weight.dtype) @ table.weight) * table.embed_scale.to(table.weight.dtype)
