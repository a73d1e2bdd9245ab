"""A checkpoint's weights by name, unpacked, with an adapter merged into them.

Encoder and decoder share their weights in every file of this architecture, so that an adapter merges only
where it is the same on both sides; those that `training/lora` learns are.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import adapters, int8_file, model
from model_runtime.loading.checkpoint import Checkpoint

ENCODER, DECODER = "model.encoder.language_model.", "model.decoder."


def weights(found: Checkpoint, adapter: Path | None) -> dict[str, Tensor]:
    """As transformers would save them: of the names that share a tensor, one. Raises ModelError."""
    if not adapter:
        return int8_file.load(found.folder)
    small = found.weights().parameters < model.SMALL
    whole = model.whole(found, torch.device("cpu"), torch.float32 if small else torch.bfloat16)
    merged: dict[str, Tensor] = adapters.apply(whole, adapter, merge=True).state_dict()
    for name in list(merged):
        twin = merged.get(DECODER + name.removeprefix(ENCODER)) if name.startswith(ENCODER) else None
        if twin is None or name.endswith("layer_scalar"):  # each side has its own
            continue
        if not torch.equal(twin, merged[name]):
            raise ModelError(
                f"the adapter in {adapter} changes encoder and decoder differently, and a file holds their "
                "weights once; learn it anew with this version, or use it with infill.adapter"
            )
        del merged[name]
    merged.pop("lm_head.weight", None)  # the table of tokens
    return {name: value.contiguous() for name, value in merged.items()}
