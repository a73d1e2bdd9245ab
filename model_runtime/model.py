"""Loading a `DiffusionGemmaForBlockDiffusion` from a folder on disk: device, dtype, experts.

The only importer of transformers (training and benchmarks apart). Safetensors only, no remote code.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from model_runtime import int8
from model_runtime.faults import ModelError
from model_runtime.local import LocalDenoiser
from model_runtime.prefix_cache import PrefixCache
from model_runtime.profiles import Profile

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"
CACHE_BYTES = 256 * 1024 * 1024  # of keys and values on a GPU
CPU_CACHE_BYTES = 48 * 1024 * 1024  # six documents of the embedded model: memory that editors need too
ALL_EXPERTS = "all_experts"  # name of the implementation below in transformers' registry


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


def text_config(text: dict[str, Any], canvas_length: int) -> DiffusionGemmaConfig:
    """The configuration of a model without use for images: the class always builds a vision tower, so
    this one is minimal."""
    vision = {
        "hidden_size": 4,
        "intermediate_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 4,
        "position_embedding_size": 4,
        "patch_size": 2,
    }
    return DiffusionGemmaConfig(
        text_config=text,
        vision_config=vision,
        canvas_length=canvas_length,
        boi_token_id=4,
        eoi_token_id=5,
        image_token_id=6,
    )


def resolve_device(device: str) -> torch.device:
    """`auto` is the best device present. Raises ModelError."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from None


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def model_folder(model: str) -> Path:
    """`embedded` or a folder with config.json, tokenizer.json and safetensors, plain or `int8`."""
    folder = EMBEDDED_FOLDER if model == "embedded" else Path(model).expanduser()
    weights = int8.FILE if (folder / int8.FILE).is_file() else "model.safetensors"
    if not (folder / weights).is_file() and _pickles(folder):
        raise ModelError(f"{folder} holds pickled weights, which may run code; convert them to safetensors")
    for needed in ("config.json", "tokenizer.json", weights):
        if not (folder / needed).is_file():
            raise ModelError(f"no model at {folder}: {needed} is missing; set infill.model to a model folder")
    return folder


def _pickles(folder: Path) -> bool:
    return any(path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl") for path in folder.glob("*"))


def _checked_config(folder: Path) -> DiffusionGemmaConfig:
    try:
        kind = json.loads((folder / "config.json").read_bytes()).get("model_type")
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'} is not JSON ({error}); copy the model again") from None
    if kind != DiffusionGemmaConfig.model_type:
        raise ModelError(
            f"the model in {folder} is a {kind!r}; a {DiffusionGemmaConfig.model_type!r} is needed"
        )
    return DiffusionGemmaConfig.from_pretrained(folder)


def load(folder: Path, device: str, profile: Profile) -> LocalDenoiser:
    """Raises ModelError."""
    target = resolve_device(device)
    dtype = torch.bfloat16 if target.type == "cuda" else torch.float32
    if target.type == "cpu":
        torch.set_num_threads(min(8, available_cores()))
    packed = (folder / int8.FILE).is_file()
    try:
        model: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(
            None if packed else folder,
            config=_checked_config(folder),
            state_dict=int8.load(folder) if packed else None,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"the model in {folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    text = model.config.text_config
    if text.num_experts == text.top_k_experts:
        model.set_experts_implementation(ALL_EXPERTS)
    elif target.type == "cuda":
        model.set_experts_implementation("grouped_mm")
    model.to(target).eval()
    gpu = target.type == "cuda"
    return LocalDenoiser(
        model, profile, PrefixCache(CACHE_BYTES if gpu else CPU_CACHE_BYTES), static=gpu, late=gpu
    )
