"""Sizes of the embedded model, and a fresh, trainable one.

Attention in this architecture is unscaled (factor 1.0), so the query and key norms of a new model have to
start at head_dim ** -0.25. The experts are few and all active: on a CPU, dispatching tokens to small experts
costs more than it saves.
"""

from __future__ import annotations

import torch
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

from model_runtime.network.configs import text_config
from model_runtime.network.moe import ALL_EXPERTS
from model_runtime.training.vocabulary import BOS, EOS, PAD

SIZES = {  # name: (hidden, layers, heads, dense width, expert width)
    "tiny": (64, 4, 2, 128, 64),
    "9m": (256, 8, 4, 512, 256),
    "50m": (512, 12, 8, 1024, 512),
}
CONTEXT = 1024  # prompt tokens seen in training
HEAD_DIM = 64
WINDOW = 256


def config(size: str, vocab_size: int) -> DiffusionGemmaConfig:
    hidden, layers, heads, dense, expert = SIZES[size]
    text = {
        "vocab_size": vocab_size,
        "hidden_size": hidden,
        "intermediate_size": dense,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 2),
        "num_global_key_value_heads": max(1, heads // 2),
        "head_dim": HEAD_DIM,
        "global_head_dim": HEAD_DIM,
        "max_position_embeddings": 4096,
        "sliding_window": WINDOW,
        "layer_types": ["full_attention" if (i + 1) % 4 == 0 else "sliding_attention" for i in range(layers)],
        "num_experts": 2,
        "top_k_experts": 2,
        "moe_intermediate_size": expert,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "bos_token_id": BOS,
    }
    return text_config(text, canvas_length=96)


def fresh_model(size: str, vocab_size: int, seed: int) -> DiffusionGemmaForBlockDiffusion:
    torch.manual_seed(seed)
    model = DiffusionGemmaForBlockDiffusion(config(size, vocab_size))
    model.set_experts_implementation(ALL_EXPERTS)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                parameter.fill_(HEAD_DIM**-0.25)
            elif "post_" in name and name.endswith("weight"):
                parameter.fill_(0.5)
            elif "vision" in name:
                parameter.requires_grad_(False)
    return model
