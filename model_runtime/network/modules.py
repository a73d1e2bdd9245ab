"""The network of a small DiffusionGemma for text on a CPU, without transformers, which takes 150 MB and two
seconds to load.

The layers that `forward` runs, named as in `DiffusionGemmaForBlockDiffusion`: fp32, every expert active, no
vision tower. Encoder and decoder share all weights but the scalar of each layer. Tests compare its results
with those of the stock class. For a configuration that it does not know `suits` is false, and the stock class
is loaded. Longer than most modules: these classes are the layers of one network and of no use alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.network.forward import FULL, SLIDING, KeyValues

ROPES = {SLIDING: "default", FULL: "proportional"}
SOFTCAP = 30.0  # where the configuration names none
ENCODER, DECODER = "model.encoder.language_model.", "model.decoder."
# Settings of which only one value is computed here, and settings that may have any value.
_ONLY = {
    "attention_bias": False,
    "hidden_activation": "gelu_pytorch_tanh",
    "per_layer_config": {},
    "use_bidirectional_attention": None,
    "tie_word_embeddings": True,
    "model_type": "diffusion_gemma_text",
}
_ANY = {
    *("vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size", "head_dim", "rms_norm_eps"),
    *("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "num_experts", "top_k_experts"),
    *("layer_types", "sliding_window", "rope_parameters", "max_position_embeddings"),
    "final_logit_softcapping",
    *("initializer_range", "attention_dropout", "dtype", "pad_token_id", "eos_token_id", "bos_token_id"),
}


def suits(config: Mapping[str, Any]) -> bool:
    """Whether a configuration (config.json) describes a network that can be built here."""
    text = config.get("text_config") or {}
    if "per_layer_config" not in text or not set(text) <= _ANY | set(_ONLY):
        return False
    ropes = text.get("rope_parameters") or {}
    known = {"rope_type", "rope_theta", "partial_rotary_factor"}
    return (
        all(text.get(name, value) == value for name, value in _ONLY.items())
        and {kind: rope.get("rope_type") for kind, rope in ropes.items()} == ROPES
        and all(set(rope) <= known for rope in ropes.values())
        and ropes[SLIDING].get("partial_rotary_factor", 1.0) == 1.0
        and text.get("num_experts") == text.get("top_k_experts")
        and text.get("layer_types", [""])[-1] == FULL
    )


class Norm(nn.Module):
    def __init__(self, size: int, eps: float, *, scaled: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(size)) if scaled else None

    def forward(self, hidden: Tensor) -> Tensor:
        normed = hidden * torch.pow(hidden.pow(2).mean(-1, keepdim=True) + self.eps, -0.5)
        return normed if self.weight is None else normed * self.weight


class Linear(nn.Module):
    """Without a bias. torch's own class initialises its weight, which on the meta device imports all of
    torch's compiler."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outer, inner))

    def forward(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.weight)


class Table(nn.Module):
    """Embeddings, scaled."""

    def __init__(self, text: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(text.vocab_size, text.hidden_size))
        self.embed_scale = torch.tensor(text.hidden_size**0.5, device="cpu")

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.weight) * self.embed_scale


class Rotary(nn.Module):
    def __init__(self, text: Any) -> None:
        super().__init__()
        self._frequencies = {kind: _frequencies(text, kind) for kind in ROPES}

    def forward(self, hidden: Tensor, positions: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        half = positions[..., None].float() * self._frequencies[kind]
        angles = torch.cat((half, half), dim=-1)
        return angles.cos(), angles.sin()


class Gated(nn.Module):
    """A gated feed-forward block."""

    def __init__(self, size: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = Linear(size, inner)
        self.up_proj = Linear(size, inner)
        self.down_proj = Linear(inner, size)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down_proj(_act(self.gate_proj(hidden)) * self.up_proj(hidden))


class SelfConditioning(Gated):
    def __init__(self, text: Any) -> None:
        super().__init__(text.hidden_size, text.intermediate_size)
        self.pre_norm = Norm(text.hidden_size, text.rms_norm_eps)
        self.post_norm = Norm(text.hidden_size, text.rms_norm_eps, scaled=False)

    def forward(self, embedded: Tensor, signal: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.post_norm(embedded + super().forward(self.pre_norm(signal)))


class Router(nn.Module):
    def __init__(self, text: Any) -> None:
        super().__init__()
        self.norm = Norm(text.hidden_size, text.rms_norm_eps, scaled=False)
        self.proj = Linear(text.hidden_size, text.num_experts)
        self.scale = nn.Parameter(torch.empty(text.hidden_size))
        self.per_expert_scale = nn.Parameter(torch.empty(text.num_experts))
        self._root = text.hidden_size**-0.5

    def forward(self, hidden: Tensor) -> Tensor:
        """The weight of every expert: [T, H] -> [T, E]."""
        chances = self.proj(self.norm(hidden) * self.scale * self._root).softmax(-1)
        return chances / chances.sum(-1, keepdim=True) * self.per_expert_scale


class Experts(nn.Module):
    def __init__(self, text: Any) -> None:
        super().__init__()
        count, size, inner = text.num_experts, text.hidden_size, text.moe_intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(count, 2 * inner, size))
        self.down_proj = nn.Parameter(torch.empty(count, size, inner))

    def forward(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Every expert on every row: hidden [T, H], weights [T, E] -> [T, H]."""
        count, width, _ = self.gate_up_proj.shape
        gate, up = F.linear(hidden, self.gate_up_proj.flatten(0, 1)).view(-1, count, width).chunk(2, dim=-1)
        inner = _act(gate) * up * weights[..., None]
        return F.linear(inner.flatten(1), self.down_proj.permute(1, 0, 2).flatten(1))


class Attention(nn.Module):
    def __init__(self, text: Any, kind: str) -> None:
        super().__init__()
        size, self._head, eps = text.hidden_size, text.head_dim, text.rms_norm_eps
        outer, inner = text.num_attention_heads * self._head, text.num_key_value_heads * self._head
        self.q_proj = Linear(size, outer)
        self.k_proj = Linear(size, inner)
        self.v_proj = Linear(size, inner) if kind == SLIDING else None  # None: values are the keys
        self.o_proj = Linear(outer, size)
        self.q_norm, self.k_norm = Norm(self._head, eps), Norm(self._head, eps)
        self.v_norm = Norm(self._head, eps, scaled=False)

    def forward(
        self, hidden: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None, kv: KeyValues, role: Role
    ) -> Tensor:
        shape = (*hidden.shape[:-1], -1, self._head)
        queries = self.q_proj(hidden).view(shape)
        keys = self.k_proj(hidden).view(shape)
        values = keys if self.v_proj is None else self.v_proj(hidden).view(shape)
        queries = _rotated(self.q_norm(queries), *rotary).transpose(1, 2)
        keys = _rotated(self.k_norm(keys), *rotary).transpose(1, 2)
        values = self.v_norm(values).transpose(1, 2)
        keys, values = role.attended(kv, keys, values)
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, scale=1.0, enable_gqa=True
        )
        return self.o_proj(mixed.transpose(1, 2).reshape(*hidden.shape[:-1], -1))


class Role(nn.Module):
    """How a layer uses keys and values: the encoder's appends to them, the decoder's only reads them."""

    def __init__(self, index: int, *, writes: bool) -> None:
        super().__init__()
        self._index, self._writes = index, writes

    def attended(self, kv: KeyValues, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What the new tokens attend to: known keys and values, followed by their own."""
        if self._writes:
            return kv.update(keys, values, self._index)
        known = kv.layers[self._index]
        return torch.cat([known.keys, keys], dim=2), torch.cat([known.values, values], dim=2)


class Layer(Role):
    """A layer of the encoder; or, with `shared`, one of the decoder, which has that layer's parts and a
    scalar of its own."""

    def __init__(self, text: Any, index: int, shared: Layer | None = None) -> None:
        super().__init__(index, writes=shared is None)
        self.layer_scalar = nn.Buffer(torch.empty(1))
        if shared is not None:
            for name, part in shared.named_children():
                self.add_module(name, part)
            return
        size, eps = text.hidden_size, text.rms_norm_eps
        self.self_attn = Attention(text, text.layer_types[index])
        self.mlp = Gated(size, text.intermediate_size)
        self.router, self.experts = Router(text), Experts(text)
        self.input_layernorm, self.post_attention_layernorm = Norm(size, eps), Norm(size, eps)
        self.pre_feedforward_layernorm, self.pre_feedforward_layernorm_2 = Norm(size, eps), Norm(size, eps)
        self.post_feedforward_layernorm = Norm(size, eps)
        self.post_feedforward_layernorm_1, self.post_feedforward_layernorm_2 = (
            Norm(size, eps),
            Norm(size, eps),
        )

    def forward(
        self,
        hidden: Tensor,
        *,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None,
        position_ids: Tensor,
        past_key_values: KeyValues,
    ) -> Tensor:
        normed = self.input_layernorm(hidden)
        mixed = self.self_attn(normed, position_embeddings, attention_mask, past_key_values, self)
        hidden = hidden + self.post_attention_layernorm(mixed)
        dense = self.post_feedforward_layernorm_1(self.mlp(self.pre_feedforward_layernorm(hidden)))
        flat = hidden.reshape(-1, hidden.shape[-1])
        routed = self.experts(self.pre_feedforward_layernorm_2(flat), self.router(flat))
        both = dense + self.post_feedforward_layernorm_2(routed.reshape(hidden.shape))
        return (hidden + self.post_feedforward_layernorm(both)) * self.layer_scalar


class Stack(nn.Module):
    """Encoder, or decoder on the encoder's weights."""

    def __init__(self, config: Any, shared: Stack | None = None) -> None:
        super().__init__()
        text = config.text_config
        self.config = config
        self.rotary_emb = shared.rotary_emb if shared else Rotary(text)
        self.embed_tokens = shared.embed_tokens if shared else Table(text)
        self.norm = shared.norm if shared else Norm(text.hidden_size, text.rms_norm_eps)
        parts: Any = shared.layers if shared else [None] * text.num_hidden_layers
        self.layers = nn.ModuleList(Layer(text, index, part) for index, part in enumerate(parts))
        if shared:
            self.self_conditioning = SelfConditioning(text)


class Network(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        """Weights have no values yet. `suits(config)` holds."""
        super().__init__()
        text = SimpleNamespace(**{"use_bidirectional_attention": None, **config["text_config"]})
        self.config = SimpleNamespace(**{**config, "text_config": text, "get_text_config": lambda: text})
        self.final_logit_softcapping: float = getattr(text, "final_logit_softcapping", SOFTCAP)
        with torch.device("meta"):
            self.model = nn.Module()
            self.model.encoder = nn.Module()
            self.model.encoder.language_model = encoder = Stack(self.config)
            self.model.decoder = Stack(self.config, encoder)
            self.lm_head = Linear(text.hidden_size, text.vocab_size)
        self.lm_head.weight = encoder.embed_tokens.weight

    def get_input_embeddings(self) -> Table:
        stack: Any = self.model.encoder
        return stack.language_model.embed_tokens


def load(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Network:
    """Raises RuntimeError where a weight is missing or of another shape."""
    network = Network(config)
    wanted = network.state_dict()
    given = {name: weights[known] for name in wanted if (known := _stored(name, weights)) in weights}
    network.load_state_dict(given, assign=True)
    network.lm_head.weight = network.get_input_embeddings().weight
    return network.requires_grad_(False).eval()


def _stored(name: str, weights: Mapping[str, Tensor]) -> str:
    """The name under which a file has a weight; shared ones are there under one of several names."""
    if name in weights:
        return name
    if name == "lm_head.weight":
        name = f"{ENCODER}embed_tokens.weight"
    elif name.startswith(DECODER):
        name = ENCODER + name.removeprefix(DECODER)
    return name if name in weights else name.replace(ENCODER, DECODER)


def _frequencies(text: Any, kind: str) -> Tensor:
    """[head dim / 2]; zero for the dimensions that a proportional rotation leaves alone."""
    rope = text.rope_parameters[kind]
    count = int(rope.get("partial_rotary_factor", 1.0) * text.head_dim // 2)
    steps = torch.arange(0, 2 * count, 2, dtype=torch.float, device="cpu") / text.head_dim
    return F.pad(1.0 / rope["rope_theta"] ** steps, (0, text.head_dim // 2 - count))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [B, T, heads, D] rotated by angles whose cosines and sines are [B, T, D]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, :, None] + torch.cat((-second, first), dim=-1) * sin[:, :, None]


def _act(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")
