"""Models with the released checkpoint's geometry and random weights, and a toy of the same shape.

For timing only: the values mean nothing, but routing, attention and sizes are the real ones. To fit the
device, tied weights exist once, no tensor is made in fp32 or on the host, and what is to be packed is packed
one tensor at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion
from transformers.models.diffusion_gemma import modeling_diffusion_gemma as modeling

from model_runtime.network import memory_budget, quantized_layers
from model_runtime.network.configs import text_config
from model_runtime.network.memory_budget import Weights, packed_as

STANDARD_DEVIATION = 0.02
COMPUTED = (modeling.DiffusionGemmaTextRotaryEmbedding, modeling.DiffusionGemmaTextScaledWordEmbedding)
HEADROOM = 1.25  # of the weights' bytes: activations, fp32 logits, caches


@dataclass(frozen=True)
class Geometry:
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    full_kv_heads: int
    full_head_dim: int
    window: int
    dense: int
    experts: int
    active: int
    expert: int
    context: int


GEOMETRIES = {
    "26b": Geometry(262144, 2816, 30, 16, 8, 256, 2, 512, 1024, 2112, 128, 8, 704, 131072),
    "tiny": Geometry(512, 64, 6, 4, 2, 16, 1, 32, 64, 48, 8, 2, 16, 8192),
}


class TooBig(Exception):
    """The model does not fit this device; the message is one line for a person."""


def config(geometry: Geometry) -> DiffusionGemmaConfig:
    every_sixth = ["sliding_attention"] * 5 + ["full_attention"]
    text = {
        "vocab_size": geometry.vocabulary,
        "hidden_size": geometry.hidden,
        "intermediate_size": geometry.dense,
        "num_hidden_layers": geometry.layers,
        "num_attention_heads": geometry.heads,
        "num_key_value_heads": geometry.kv_heads,
        "num_global_key_value_heads": geometry.full_kv_heads,
        "head_dim": geometry.head_dim,
        "global_head_dim": geometry.full_head_dim,
        "max_position_embeddings": geometry.context,
        "sliding_window": geometry.window,
        "layer_types": every_sixth * (geometry.layers // 6),
        "num_experts": geometry.experts,
        "top_k_experts": geometry.active,
        "moe_intermediate_size": geometry.expert,
    }
    return text_config(text, canvas_length=256)


def decoder_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Of the decoder's parameters, by their names in a checkpoint. Nothing is allocated."""
    with torch.device("meta"):
        model: Any = DiffusionGemmaForBlockDiffusion(config(GEOMETRIES[name]))
    decoder = model.model.decoder.named_parameters(prefix="model.decoder")
    return {one: tuple(parameter.shape) for one, parameter in decoder}


def random_model(name: str, device: torch.device, seed: int = 0, quantization: str = "none") -> Any:
    """In bf16 on `device`, or packed as `quantization` says. Raises TooBig before anything is allocated."""
    with torch.device("meta"):
        model: Any = DiffusionGemmaForBlockDiffusion(config(GEOMETRIES[name]))
    model.tie_weights()
    if name != "tiny":
        _check_room(name, weight_bytes(model, quantization), device)
    torch.manual_seed(seed)
    _materialize(model, device, quantization)
    return model.eval()


def weight_bytes(model: Any, quantization: str = "none") -> int:
    """Bytes in bf16, or packed as `quantization` says; tied weights count once. `model` is not packed yet."""
    named = dict(model.named_parameters())
    counted = Weights.of({name: tuple(parameter.shape) for name, parameter in named.items()})
    return memory_budget.weight_bytes(counted, "bfloat16", quantization)


def _check_room(name: str, weights: int, device: torch.device) -> None:
    needed = weights * HEADROOM
    sizes = f"{needed / 1e9:.0f} GB free ({weights / 1e9:.1f} GB of weights)"
    what = f"--random-weights {name} needs a GPU with {sizes}"
    if device.type != "cuda":
        raise TooBig(
            f"{what}, and this is the {device.type}; --random-weights tiny runs the same code anywhere"
        )
    free = torch.cuda.mem_get_info(device)[0]
    if free < needed:
        raise TooBig(f"{what}; {free / 1e9:.0f} GB are free")


@torch.no_grad()
def _materialize(model: Any, device: torch.device, quantization: str) -> None:
    """Make meta tensors real, one by one; a tied parameter stays one parameter."""
    real: dict[int, nn.Parameter] = {}
    scales: dict[int, torch.Tensor] = {}
    for path, module in model.named_modules():
        buffers = {name: b for name, b in module._buffers.items() if b is not None and b.is_meta}
        for name, buffer in buffers.items():
            module._buffers[name] = torch.ones_like(buffer, device=device)
        if buffers and isinstance(module, COMPUTED):
            model._init_weights(module)
        for name, parameter in list(module._parameters.items()):
            if parameter is None:
                continue
            if id(parameter) not in real:
                values = torch.empty(parameter.shape, dtype=torch.bfloat16, device=device)
                filled = values.normal_(std=STANDARD_DEVIATION) if values.dim() > 1 else values.fill_(1.0)
                if kind := packed_as(f"{path}.{name}", quantization):
                    filled, scales[id(parameter)] = quantized_layers.pack_slowly(filled, kind)
                real[id(parameter)] = nn.Parameter(filled, requires_grad=False)
            module._parameters[name] = real[id(parameter)]
            if (scale := scales.get(id(parameter))) is not None:
                quantized_layers.attach(module, name, scale, torch.bfloat16)
