"""How a model's experts are computed: kernels that transformers lacks, and which suits which device."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from . import quantized_layers

ALL_EXPERTS, PACKED_EXPERTS = "all_experts", "packed_experts"  # names in transformers' registry


def all_experts(self: Any, hidden: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Every expert on every row, weighted by the router: [T, H] -> [T, H].

    Equal to the stock loop over experts, without its host synchronisation; the right choice when
    all experts are active anyway."""
    experts, width, _ = self.gate_up_proj.shape
    gate, up = F.linear(hidden, self.gate_up_proj.flatten(0, 1)).view(-1, experts, width).chunk(2, dim=-1)
    routed = torch.zeros(hidden.shape[0], experts, dtype=weights.dtype, device=hidden.device)
    routed = routed.scatter(1, index, weights)
    inner = self.act_fn(gate) * up * routed[..., None].to(hidden.dtype)
    return F.linear(inner.flatten(1), self.down_proj.permute(1, 0, 2).flatten(1))


ALL_EXPERTS_FUNCTIONS.register(ALL_EXPERTS, all_experts)
ALL_EXPERTS_FUNCTIONS.register(PACKED_EXPERTS, quantized_layers.experts)


def choose(model: Any, device: torch.device, quantization: str) -> None:
    """Set the kernel that suits the model, its device and its quantisation."""
    text = model.config.text_config
    if quantization != "none":
        model.set_experts_implementation(PACKED_EXPERTS)
    elif text.num_experts == text.top_k_experts:
        model.set_experts_implementation(ALL_EXPERTS)
    elif device.type == "cuda":
        model.set_experts_implementation("grouped_mm")
