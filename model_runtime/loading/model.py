"""Loading a `DiffusionGemmaForBlockDiffusion`: device, dtype, quantisation, experts, adapter, tied weights.

Safetensors only, no remote code. Whether it fits is computed before anything is loaded
(`network/memory_budget`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from model_runtime.diffusion.faults import ModelError, lacking, one_line
from model_runtime.loading.checkpoint import Checkpoint
from model_runtime.loading.devices import available_cores, capability_problem, free_bytes, resolve_device
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.network import arithmetic, memory_budget, modules
from model_runtime.protocol import Choice

from . import adapters, checkpoint, image_files, int8_file, prompt_setup

log = logging.getLogger(__name__)

CACHE_BYTES = 256 * 1024 * 1024  # of keys and values on a GPU, for a small model
CHAT_CACHE_BYTES = 2 * 1024**3  # at most, for a model with 8,192 tokens of prompt, 225 kB each as released
CPU_CACHE_BYTES = 32 * 1024 * 1024  # four documents of the embedded model; the editor needs this memory too
SMALL = 1_000_000_000  # parameters; a model with fewer is computed in fp32 on a CPU
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_NO_INT8 = (
    "int8 is how the embedded model is computed on a CPU from AVX2 on; infill.quantization packs others"
)
# Libraries that transformers needs for what comes quantised.
LIBRARIES = {
    "compressed-tensors": "compressed_tensors",
    "torchao": "torchao",
    "bitsandbytes": "bitsandbytes",
}


@dataclass(frozen=True)
class Loaded:
    folder: Path
    denoiser: LocalDenoiser
    prompting: prompt_setup.Prompting


def load(
    choice: Choice, on_progress: Callable[[float], None] = lambda done: None, *, stock: bool = False
) -> Loaded:
    """`stock`: use transformers' class even where `network.modules` suits. Raises ModelError."""
    folder = checkpoint.find(choice.model)
    found = checkpoint.examine(folder, choice.model)
    adapter = Path(choice.adapter).expanduser() if choice.adapter else None
    if adapter:
        adapters.check(adapter)
    device = resolve_device(choice.device)
    prompting = prompt_setup.load(found, adapters.filler(adapter) if adapter else None)
    on_progress(0.05)
    own = not stock and _own(found, choice, device)
    plan = _plan(found, choice, device, prompting, own=own)
    prompting = prompting.within(plan.context)
    if device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:  # torch has obeyed that variable
        torch.set_num_threads(min(8, available_cores()))
    if own and plan.dtype in arithmetic.KINDS:
        model = _network(found, plan.dtype)
    else:
        model = _stock(found, device, DTYPES[plan.dtype], choice, adapter)
    on_progress(0.8)
    gpu = device.type == "cuda"
    profile, cache = prompting.tokens.profile, PrefixCache(plan.cache)
    reader = image_files.reader(folder)
    denoiser = LocalDenoiser(model, profile, cache, dtype=plan.dtype, static=gpu, late=gpu, reader=reader)
    return Loaded(folder, denoiser, prompting)


def _own(found: Checkpoint, choice: Choice, device: torch.device) -> bool:
    """Whether the model can be computed without transformers."""
    plain = not choice.adapter and choice.quantization == "none"
    return plain and found.packed and device.type == "cpu" and modules.suits(found.config)


def _network(found: Checkpoint, dtype: str) -> Any:
    """Without transformers. Raises ModelError."""
    try:
        return modules.load(found.config, int8_file.load(found.folder), dtype)
    except (OSError, RuntimeError, KeyError, ValueError, SafetensorError) as error:
        raise ModelError(f"the model in {found.folder} cannot be loaded: {one_line(error)}") from error


def whole(found: Checkpoint, device: torch.device, dtype: torch.dtype, kind: str = "none") -> Any:
    """transformers' class with all of its weights. Raises ModelError."""
    model = _weights(found, device, dtype, kind)
    check_tied(model)
    return model


def _stock(
    found: Checkpoint, device: torch.device, dtype: torch.dtype, choice: Choice, adapter: Path | None
) -> Any:
    """Raises ModelError."""
    from model_runtime.network import moe  # only here, as transformers below

    model = whole(found, device, dtype, choice.quantization)
    if adapter:
        small = sum(parameter.numel() for parameter in model.parameters()) < SMALL
        packed = choice.quantization != "none" or found.quantized
        model = adapters.apply(model, adapter, merge=small and not packed)
    moe.choose(model, device, choice.quantization)
    return model.eval()


def check_tied(model: Any) -> None:
    """Make sure that every weight is there and that encoder and decoder share theirs. transformers has been
    seen to leave one side on the meta device (its issue 46566). Raises ModelError."""
    inner = model.model
    shared = dict(inner.decoder.layers.named_parameters())
    for name, mine in inner.encoder.language_model.layers.named_parameters():
        if mine is not (other := shared.get(name)):
            if other is None or other.is_meta or other.shape != mine.shape:
                raise ModelError(_unloaded(f"decoder.layers.{name}"))
            _set(inner.encoder.language_model.layers, name, other)
    table = inner.decoder.embed_tokens.weight
    inner.encoder.language_model.embed_tokens.weight = table
    inner.encoder.language_model.norm.weight = inner.decoder.norm.weight
    model.lm_head.weight = table
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise ModelError(_unloaded(name))


def _unloaded(name: str) -> str:
    return f"{name} has no value after loading; copy the model again, or install the tested transformers"


def _set(module: Any, name: str, parameter: Any) -> None:
    parent, _, own = name.rpartition(".")
    setattr(module.get_submodule(parent), own, parameter)


@dataclass(frozen=True)
class Plan:
    dtype: str
    cache: int  # bytes of keys and values that are kept
    context: int  # most tokens of a prompt


def _plan(
    found: Checkpoint, choice: Choice, device: torch.device, prompting: prompt_setup.Prompting, *, own: bool
) -> Plan:
    """How to load it; `own`: without transformers. Raises ModelError where it cannot be loaded so, or would
    not fit."""
    if choice.quantization != "none":
        if found.quantized or found.packed:
            how = found.quantized or "int8"
            raise ModelError(f"the model comes quantised ({how}); set infill.quantization to none")
        if problem := capability_problem(choice.quantization, device):
            raise ModelError(problem)
    weights = found.weights()
    dtype = choice.dtype
    if dtype == "auto" and own:
        dtype = arithmetic.best()
    elif dtype == "auto":
        small = weights.parameters < SMALL and device.type == "cpu"
        dtype = "float32" if small else "bfloat16"
    elif dtype == arithmetic.INT8 and not (own and arithmetic.best() == dtype):
        raise ModelError(f"{_NO_INT8}; set infill.dtype to auto")
    profile, small_cache = prompting.tokens.profile, CPU_CACHE_BYTES if device.type == "cpu" else CACHE_BYTES
    working = memory_budget.Working(
        found.vocabulary * profile.canvas,
        found.keys.taken(min(memory_budget.LEAST_CONTEXT, profile.context)) if prompting.chat else 0,
        0 if prompting.chat else small_cache,
    )
    room = memory_budget.Room(str(device), free_bytes(device))
    size = arithmetic.FLOAT32 if dtype == arithmetic.INT8 else dtype  # of keys and values
    if problem := memory_budget.problem(weights, working, size, choice.quantization, room):
        raise ModelError(problem)
    if device.type in ("cpu", "mps") and weights.parameters > SMALL:
        log.warning(
            "%.1fG parameters on the %s: a fill takes tens of seconds", weights.parameters / 1e9, device.type
        )
    if not prompting.chat:
        return Plan(dtype, small_cache, profile.context)
    left = room.free - memory_budget.total_bytes(weights, working, dtype, choice.quantization)
    return _with_room(found.keys, dtype, working.keys, left, profile.context)


def _with_room(keys: memory_budget.Keys, dtype: str, least: int, left: int, context: int) -> Plan:
    """Keys and values get the `least` elements that are counted anyway, and half of the bytes that are
    `left`. Only half, because while a prompt is encoded the one that it replaces is still there, and an
    allocator leaves gaps. `context`: most tokens that the model can use."""
    size = memory_budget.BYTES[dtype]
    granted = min(size * least + left // 2, CHAT_CACHE_BYTES + size * keys.view(context))
    context = keys.tokens(granted // size, context)
    log.info("room for prompts of %d tokens", context)
    return Plan(dtype, granted - size * keys.view(context), context)


def _weights(found: Checkpoint, device: torch.device, dtype: torch.dtype, kind: str) -> Any:
    """Raises ModelError."""
    from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

    if (library := LIBRARIES.get(found.quantized)) and (
        problem := lacking("a model that comes quantised so", library)
    ):
        raise ModelError(problem)
    own = None
    if kind != "none":
        # Only here: importing it takes half a second.
        from model_runtime.loading.hf_quantizer import PackedConfig

        own = PackedConfig.of(kind)
    try:
        model: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(
            None if found.packed else found.folder,
            config=DiffusionGemmaConfig.from_pretrained(found.folder),
            state_dict=dict(int8_file.load(found.folder)) if found.packed else None,
            dtype=dtype,
            device_map=None if found.packed else {"": device},
            quantization_config=own,
            local_files_only=True,
            use_safetensors=True,
        )
    except torch.OutOfMemoryError:
        raise ModelError(
            f"{device} ran out of memory while loading; set infill.quantization to int4"
        ) from None
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, SafetensorError) as error:
        raise ModelError(f"the model in {found.folder} cannot be loaded: {one_line(error)}") from error
    return model.to(device) if found.packed else model
