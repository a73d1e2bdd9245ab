"""Loading an open masked-diffusion model: its record, its tokenizer, its weights on a device, packed if that
is wanted.

`config.json` is read here: what it says of remote code (`auto_map`) is not followed. The layers are
transformers' Qwen2 or Llama, filled from safetensors one tensor after another, so that no more than one is
ever unpacked.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from model_runtime.diffusion.faults import ModelError, one_line
from model_runtime.loading.checkpoint import Checkpoint
from model_runtime.loading.devices import available_cores, capability_problem, free_bytes, resolve_device
from model_runtime.local.masked_denoiser import MaskedDenoiser
from model_runtime.network import arithmetic, backbone, memory_budget, quantized_layers
from model_runtime.prompting import infillers
from model_runtime.prompting.infillers import Infiller
from model_runtime.prompting.layout import Tokens
from model_runtime.protocol import Choice

from . import checkpoint, infiller_tokenizer
from .model import DTYPES, SMALL

log = logging.getLogger(__name__)

# Packed as int8 and multiplied so, the head too; the other kinds of packing are those of `memory_budget`.
BYTES = "bytes"

# Of config.json: what transformers' own classes do not read, what would load code, and a mixture of kinds of
# attention, as all layers have full attention here.
_LEFT_OUT = (
    "auto_map",
    "architectures",
    "model_type",
    "torch_dtype",
    "dtype",
    "mask_token_id",
    "transformers_version",
    "layer_types",
)


@dataclass(frozen=True)
class Loaded:
    folder: Path
    denoiser: MaskedDenoiser
    tokens: Tokens


def suits(choice: Choice) -> bool:
    """Whether the choice names such a model. Raises ModelError where it is not on this machine."""
    folder = checkpoint.find(choice.model)
    return folder.is_dir() and checkpoint.model_type(folder) in checkpoint.INFILLER_TYPES


def load(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> Loaded:
    """Raises ModelError."""
    folder = checkpoint.find(choice.model)
    found = checkpoint.examine(folder, choice.model)
    if choice.adapter:
        raise ModelError(f"{choice.model} takes no adapter; set infill.adapter to nothing")
    device = resolve_device(choice.device)
    window = memory_budget.CPU_WINDOW if device.type == "cpu" else memory_budget.WINDOW
    exact = choice.passes == "exact"
    record, tokens = prompting(found, window, exact=exact)
    on_progress(0.05)
    dtype = _dtype(found, choice, device, window)
    if device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:  # torch has obeyed that variable
        torch.set_num_threads(min(8, available_cores()))
    model = weights(found, record, device, DTYPES[dtype], kind(choice, device))
    on_progress(0.8)
    return Loaded(folder, MaskedDenoiser(model, record, tokens.profile, exact=exact), tokens)


def prompting(found: Checkpoint, window: int, *, exact: bool = False) -> tuple[Infiller, Tokens]:
    """The record that fits the checkpoint's ids, and its tokenizer. Raises ModelError."""
    tokenizer, added = infiller_tokenizer.load(found.folder, "copy the model again")
    try:
        record = infillers.match(found.config, tokenizer.id_to_token)
    except infillers.Unmatched as error:
        raise ModelError(f"the model in {found.folder} cannot be used: {error}") from None
    nameless = set(range(found.vocabulary)) - set(tokenizer.get_vocab().values())
    special = frozenset(added | nameless)
    return record, Tokens(tokenizer, infillers.profile(record, window=window, special=special, exact=exact))


def _dtype(found: Checkpoint, choice: Choice, device: torch.device, window: int) -> str:
    """What it computes in. Raises ModelError where it would not fit."""
    if found.quantized:
        raise ModelError(f"the model comes quantised ({found.quantized}), which is not supported for it")
    if choice.dtype == arithmetic.INT8:
        raise ModelError(
            "int8 is no dtype of this model; set infill.quantization to int8 and infill.dtype to auto"
        )
    if choice.quantization != "none" and (problem := capability_problem(choice.quantization, device)):
        raise ModelError(problem)
    counted = found.weights()
    dtype = choice.dtype
    if dtype == "auto":
        dtype = "float32" if counted.parameters < SMALL and device.type == "cpu" else "bfloat16"
    room = memory_budget.Room(str(device), free_bytes(device))
    working = memory_budget.Working.of_window(found.vocabulary, found.keys, window)
    if problem := memory_budget.problem(counted, working, dtype, choice.quantization, room):
        raise ModelError(problem)
    if device.type in ("cpu", "mps") and counted.parameters > SMALL:
        log.warning("%.1fG parameters on the %s: a fill takes minutes", counted.parameters / 1e9, device.type)
    return dtype


def kind(choice: Choice, device: torch.device) -> str:
    """How the weights are packed: those that are int8 are multiplied so where a CPU is fast at it, unless a
    dtype is asked for."""
    fast = device.type == "cpu" and choice.dtype == "auto" and arithmetic.best() == arithmetic.INT8
    return BYTES if fast and choice.quantization == "int8" else choice.quantization


def weights(found: Checkpoint, record: Infiller, device: torch.device, dtype: torch.dtype, kind: str) -> Any:
    """The model with full attention. Raises ModelError."""
    model = _empty(found, record, dtype)
    try:
        for path in found.files:
            with safe_open(path, framework="pt", device=str(device)) as file:
                for name in file.keys():  # noqa: SIM118
                    place(model, name, file.get_tensor(name), dtype, kind)
    except torch.OutOfMemoryError:
        raise ModelError(
            f"{device} ran out of memory while loading; set infill.quantization to int4"
        ) from None
    except (OSError, RuntimeError, SafetensorError, AttributeError, ValueError) as error:
        raise ModelError(f"the model in {found.folder} cannot be loaded: {one_line(error)}") from error
    head = model.lm_head.weight  # None where it has become bytes
    if found.config.get("tie_word_embeddings") and head is not None and head.is_meta:
        tie(model, dtype, kind)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise ModelError(f"{found.folder} lacks {name}; copy the model again")
    model.model.rotary_emb.to(device)
    return backbone.bidirectional(model.eval())


def _empty(found: Checkpoint, record: Infiller, dtype: torch.dtype) -> Any:
    """The stock class without weights; the angles of its positions are there. Raises ModelError."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    classes: dict[str, tuple[Any, Any]] = {
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        "llama": (LlamaConfig, LlamaForCausalLM),
    }
    config_class, model_class = classes[record.backbone]
    fields = {name: value for name, value in found.config.items() if name not in _LEFT_OUT}
    try:
        config = config_class.from_dict(
            {**fields, "use_sliding_window": False, "attn_implementation": "sdpa"}
        )
        with torch.device("meta"):
            model = model_class(config).to(dtype)
        model.model.rotary_emb = type(model.model.rotary_emb)(config)
    except (ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        raise ModelError(f"{found.folder / 'config.json'} is not usable: {one_line(error)}") from error
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def place(model: Any, name: str, value: Tensor, dtype: torch.dtype, kind: str) -> None:
    """Put a tensor where it belongs, packed if it is to be. Raises ValueError."""
    parent, _, own = name.rpartition(".")
    module: Any = model.get_submodule(parent)
    if (expected := getattr(module, own, None)) is None:
        raise ValueError(f"no place for {name}")
    if expected.shape != value.shape:
        raise ValueError(f"{name} has the shape {tuple(value.shape)}, not {tuple(expected.shape)}")
    if kind == BYTES and isinstance(module, nn.Linear) and own == "weight":
        arithmetic.attach(module, *quantized_layers.pack_slowly(value, arithmetic.INT8))
        return
    packed = memory_budget.packed_as(name, kind)
    if packed is None:
        setattr(module, own, nn.Parameter(value.to(dtype), requires_grad=False))
        return
    small, scale = quantized_layers.pack_slowly(value, packed)
    setattr(module, own, nn.Parameter(small, requires_grad=False))
    quantized_layers.attach(module, own, scale, dtype)


def tie(model: Any, dtype: torch.dtype, kind: str) -> None:
    """The head is the table of tokens, or that as bytes: fewer than are counted for widening weights."""
    table = model.model.embed_tokens
    if kind == BYTES:
        arithmetic.attach(model.lm_head, *quantized_layers.pack_slowly(table.weight, arithmetic.INT8))
        return
    model.lm_head.weight = table.weight
    if (scale := getattr(table, "weight" + quantized_layers.SCALE, None)) is not None:
        quantized_layers.attach(model.lm_head, "weight", scale, dtype)
