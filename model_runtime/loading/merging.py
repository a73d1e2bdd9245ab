"""A checkpoint's weights by name, unpacked, with an adapter merged into them.

Every file of this architecture stores the weights that encoder and decoder share once. So an adapter can be
merged into a file only if it is the same on both sides; those that `training/lora` makes are.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import adapters, int8_file, model
from model_runtime.loading.checkpoint import Checkpoint
from model_runtime.network.modules import DECODER, ENCODER


def weights(found: Checkpoint, adapter: Path | None) -> dict[str, Tensor]:
    """As transformers would save them: of names that share a tensor, only one. Raises ModelError."""
    if not adapter:
        return dict(int8_file.load(found.folder))
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
    merged.pop("lm_head.weight", None)  # shared with the table of tokens
    return {name: value.contiguous() for name, value in merged.items()}
