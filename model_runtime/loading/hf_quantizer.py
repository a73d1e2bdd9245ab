"""Packing a checkpoint while transformers loads it, one tensor after another.

transformers' own quantisers know linear layers only and leave the experts as they are, nine tenths of this
model. So this one is registered with transformers; `network/quantized_layers` has the arithmetic. A
checkpoint that comes quantised says so in its config.json and is left to transformers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.core_model_loading import ConversionOps
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from model_runtime.network import quantized_layers
from model_runtime.network.memory_budget import packed_as
from model_runtime.network.modules import DECODER, ENCODER

METHOD = "infill_packed"
_TABLES = (f"{ENCODER}embed_tokens.weight", f"{DECODER}embed_tokens.weight", "lm_head.weight")


class PackedConfig(QuantizationConfigMixin):
    kind: str

    def __init__(self, kind: str = "int8", **_: Any) -> None:
        self.quant_method: Any = METHOD
        self.kind = kind

    @classmethod
    def of(cls, kind: str) -> Any:
        """For type checkers, which see only the fields of its base, a dataclass."""
        made: Any = cls
        return made(kind=kind)


class PackedQuantizer(HfQuantizer):
    def __init__(self, quantization_config: Any, **kwargs: Any) -> None:
        super().__init__(quantization_config, **kwargs)
        self.kind: str = quantization_config.kind
        self.scales: dict[str, Tensor] = {}

    @property
    def quantized_element_size(self) -> float:
        return 0.5 if self.kind == "int4" else 1

    def param_needs_quantization(self, model: Any, param_name: str, **kwargs: Any) -> bool:
        return packed_as(param_name, self.kind) is not None

    def get_quantize_ops(self) -> ConversionOps:
        return _Pack(self)

    def is_serializable(self, *_: Any, **__: Any) -> Any:
        return False

    @property
    def is_trainable(self) -> Any:
        return False

    def _process_model_after_weight_loading(self, model: Any, **kwargs: Any) -> Any:
        """Attach the scales wherever their matrices are used: in the decoder, in the encoder that shares
        them, and for the table of tokens in the head too."""
        dtype = model.model.decoder.norm.weight.dtype
        for name, scale in self.scales.items():
            twins = {name, name.replace(DECODER, ENCODER, 1), name.replace(ENCODER, DECODER, 1)}
            for twin in _TABLES if name in _TABLES else twins:
                parent, _, own = twin.rpartition(".")
                try:
                    module = model.get_submodule(parent)
                except AttributeError:  # self-conditioning: the encoder has none
                    continue
                quantized_layers.attach(module, own, scale, dtype)
        return model


class _Pack(ConversionOps):
    def __init__(self, quantizer: PackedQuantizer) -> None:
        self._quantizer = quantizer

    def convert(self, input_dict: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        ((name, value),) = input_dict.items()
        full_name: str = kwargs.get("full_layer_name", "") or name
        weight = value[0] if isinstance(value, list) else value
        kind = packed_as(full_name, self._quantizer.kind)
        assert kind is not None
        small, scale = quantized_layers.pack_slowly(weight, kind)
        self._quantizer.scales[full_name] = scale
        return {name: nn.Parameter(small, requires_grad=False)}


register_quantization_config(METHOD)(PackedConfig)
register_quantizer(METHOD)(PackedQuantizer)
