"""A LoRA adapter on a loaded model, in PEFT's format: checked, applied, merged where that is exact.

Encoder and decoder share their weights but not their adapters, so merging needs a copy of each weight. Small
models are merged; the others keep the adapter beside the weights. Reads safetensors only. Apart from
training, no other module imports peft.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.diffusion.faults import ModelError, lacking, one_line

if TYPE_CHECKING:
    from torch import nn

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
OWN_FILE = "infill.json"  # beside them, if this project trained it: `filler`, the id that ends a hole


def check(folder: Path) -> dict[str, Any]:
    """The adapter's configuration. Raises ModelError."""
    for needed in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / needed).is_file():
            raise ModelError(f"no adapter at {folder}: {needed} is missing; set infill.adapter to its folder")
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
        kind = config.get("peft_type")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{folder / CONFIG_FILE} is not JSON ({error}); copy the adapter again") from None
    if kind != "LORA":
        raise ModelError(f"the adapter in {folder} is of type {kind}; only LORA is supported")
    return config


def filler(folder: Path) -> int | None:
    """The id that this adapter teaches a model to end a hole with; None where it teaches none."""
    try:
        found = json.loads((folder / OWN_FILE).read_bytes()).get("filler")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) else None


def apply(model: Any, folder: Path, *, merge: bool) -> Any:
    """The model with the adapter, merged into copies of the weights if `merge`. Raises ModelError."""
    config = check(folder)
    if problem := lacking("an adapter", "peft"):
        raise ModelError(problem)
    from peft import PeftModel
    from safetensors import SafetensorError, safe_open
    from torch import nn  # only here: a server's model has its filler asked for where no torch is

    try:
        with safe_open(folder / WEIGHTS_FILE, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{folder / WEIGHTS_FILE} is damaged: {one_line(error)}; copy it again") from None
    if wrong := mismatch(model, shapes):
        base = config.get("base_model_name_or_path") or "another model"
        raise ModelError(
            f"the adapter in {folder} is for {base}, not for this model ({wrong}); change infill.adapter"
        )
    try:
        adapted: Any = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except (ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"the adapter in {folder} does not fit this model: {one_line(error)}") from error
    if not merge:
        return adapted.get_base_model()
    for module in model.model.encoder.modules():
        if isinstance(base := getattr(module, "base_layer", None), nn.Linear):
            base.weight = nn.Parameter(base.weight.detach().clone(), requires_grad=False)
    return adapted.merge_and_unload()


def mismatch(model: nn.Module, shapes: dict[str, tuple[int, ...]]) -> str:
    """Says which matrix this model lacks or has in another size, the first one; empty where all fit.
    `shapes`: of the adapter's tensors by name."""
    for name, shape in shapes.items():
        target = name.removeprefix("base_model.model.")
        for part, of in ((".lora_A.weight", 1), (".lora_B.weight", 0)):
            if not target.endswith(part):
                continue
            try:
                layer: Any = model.get_submodule(target.removesuffix(part))
            except AttributeError:
                return f"it has no {target.removesuffix(part)}"
            size = layer.in_features if of else layer.out_features
            if shape[1 if of else 0] != size:
                return f"{target.removesuffix(part)} has {size} features, not {shape[1 if of else 0]}"
    return ""
