"""The pass of a masked-diffusion model: full attention over the layers of transformers' Qwen2 or Llama.

The stock classes are causal. An explicit mask and `is_causal` off in every layer make them bidirectional;
without a mask they would fall back to causal attention. Knows the modules of `Qwen2ForCausalLM` and
`LlamaForCausalLM`, not how they were loaded.

Shapes: B rows, N new tokens, K tokens with known keys and values, H hidden, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model_runtime.network.forward import KeyValues


def bidirectional(model: Any) -> Any:
    """The model with causal attention switched off."""
    for layer in model.model.layers:
        layer.self_attn.is_causal = False
    return model


def run(model: Any, ids: Tensor, positions: Tensor, seen: Tensor, kv: KeyValues) -> Tensor:
    """ids and positions [B, N], `seen` bool [B, 1, N, K + N] (True: may attend) -> hidden [B, N, H]. Appends
    the new tokens to `kv`, which holds K."""
    stack = model.model
    hidden = stack.embed_tokens(ids)
    rotary = stack.rotary_emb(hidden, positions)
    for layer in stack.layers:
        hidden = layer(
            hidden,
            position_embeddings=rotary,
            attention_mask=seen,
            position_ids=positions,
            past_key_values=kv,
        )
    return stack.norm(hidden)


def logits(model: Any, hidden: Tensor) -> Tensor:
    """fp32 [..., V]; pass only the positions that need them."""
    return model.lm_head(hidden).float()


def moved(model: Any, keys: Tensor, by: int) -> Tensor:
    """Keys [B, heads, K, D] as they would be `by` positions later. Exact: rotations add up."""
    if by == 0:
        return keys
    angles = by * model.model.rotary_emb.inv_freq.to(keys.device, torch.float32)
    cos, sin = torch.cat([angles, angles]).cos(), torch.cat([angles, angles]).sin()
    wide = keys.float()
    first, second = wide.chunk(2, dim=-1)
    return (wide * cos + torch.cat([-second, first], dim=-1) * sin).to(keys.dtype)
