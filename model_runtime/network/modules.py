"""The network of a small DiffusionGemma for text on a CPU, without transformers, which takes 150 MB and two
seconds to load.

What `forward` runs of `DiffusionGemmaForBlockDiffusion`: every expert active, no vision tower. Encoder and
decoder share all weights but the scalar of each layer. Tests compare its results with those of the stock
class. For a configuration that it does not know `suits` is false, and the stock class is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from model_runtime.network import arithmetic, quantized_layers
from model_runtime.network.arithmetic import matrix
from model_runtime.network.forward import FULL, SLIDING, KeyValues, Masks
from model_runtime.network.layers import (
    DECODER,
    ENCODER,
    ROPES,
    Layer,
    Norm,
    Rotary,
    SelfConditioning,
    View,
    Weights,
)

SOFTCAP = 30.0  # where the configuration names none
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


class Stack:
    """Encoder or decoder: `run` does what the stock class's loop over its layers does."""

    def __init__(self, weights: Weights, text: Any, name: str, table: Any, layers: list[Layer]) -> None:
        self.embed_tokens = table
        self._layers, self._types = layers, text.layer_types
        self._scalars = [weights.tensor(f"{name}layers.{at}.layer_scalar", 1) for at in range(len(layers))]
        self._rotary = Rotary(text)
        self._norm = Norm(text.rms_norm_eps, weights.tensor(f"{name}norm.weight", text.hidden_size))

    def run(
        self, hidden: Tensor, positions: Tensor, masks: Masks, kv: KeyValues, wanted: Tensor | None
    ) -> Tensor:
        """hidden [B, T, H] of embedded tokens -> [B, T, H], or [B, K, H] of the tokens `wanted` [B, K]."""
        rotary = {kind: self._rotary(positions, kind) for kind in ROPES}
        views = {kind: View.of(mask) for kind, mask in masks.items()}
        for index, (kind, layer) in enumerate(zip(self._types, self._layers, strict=True)):
            last = wanted if layer is self._layers[-1] else None
            view = views[kind] if last is None else View.of(masks[kind], last)
            attended = partial(self._attended, kv, index)
            hidden = layer(hidden, rotary[kind], view, attended, last).mul_(self._scalars[index])
        return self._norm(hidden)

    def _attended(self, kv: KeyValues, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All that the tokens of these keys and values attend to in a layer."""
        raise NotImplementedError


class Encoder(Stack):
    """Its tokens are appended to the keys and values."""

    def _attended(self, kv: KeyValues, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        return kv.update(keys, values, index)


class Decoder(Stack):
    """Its tokens follow the keys and values, which it only reads."""

    def __init__(self, weights: Weights, text: Any, name: str, table: Any, layers: list[Layer]) -> None:
        super().__init__(weights, text, name, table, layers)
        self.self_conditioning = SelfConditioning(weights, text)

    def _attended(self, kv: KeyValues, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        known = kv.layers[index]
        return torch.cat([known.keys, keys], dim=2), torch.cat([known.values, values], dim=2)


class Network:
    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        """`suits(config)` holds. Raises KeyError, ValueError where a weight is missing or of another
        shape."""
        text = SimpleNamespace(**{"use_bidirectional_attention": None, **config["text_config"]})
        self.config = SimpleNamespace(**{**config, "text_config": text})
        self.arithmetic = weights.kind
        self.final_logit_softcapping: float = getattr(text, "final_logit_softcapping", SOFTCAP)
        tokens = weights.tensor(f"{ENCODER}embed_tokens.weight", text.vocab_size, text.hidden_size)
        self.lm_head = matrix(tokens, weights.kind)
        self._table = _table(tokens, text.hidden_size**0.5)
        layers = [Layer(weights, text, index) for index in range(text.num_hidden_layers)]
        encoder = Encoder(weights, text, ENCODER, self._table, layers)
        decoder = Decoder(weights, text, DECODER, self._table, layers)
        self.model = SimpleNamespace(encoder=SimpleNamespace(language_model=encoder), decoder=decoder)

    def get_input_embeddings(self) -> Any:
        return self._table


def load(config: Mapping[str, Any], stored: Mapping[str, Tensor], kind: str = arithmetic.FLOAT32) -> Network:
    """`stored`: fp32 weights by their name in a file. Raises KeyError, ValueError where one is missing or of
    another shape."""
    with torch.inference_mode():
        return Network(config, Weights(stored, kind))


def _table(tokens: Tensor, scale: float) -> Any:
    """The scaled embedding of tokens, whose table stays the bytes that it was in the file."""
    small, scales = quantized_layers.pack(tokens, "int8")
    table: Any = nn.Embedding.from_pretrained(small)
    quantized_layers.attach(table, "weight", scales, torch.float32)
    table.embed_scale = torch.tensor(scale)
    return table
