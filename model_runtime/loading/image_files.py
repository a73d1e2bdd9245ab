"""Image files as inputs for a checkpoint's vision tower, made by its own processor. Knows no model."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from model_runtime.diffusion.faults import lacking
from model_runtime.network.vision import Reader

PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def reader(folder: Path) -> Reader | None:
    """Reads image files for the checkpoint in `folder`; None where it has no processor. Libraries and
    processor are loaded with the first image."""
    if not any((folder / name).is_file() for name in PROCESSORS):
        return None
    kept: list[Any] = []

    def read(data: bytes) -> Mapping[str, Tensor]:
        """Raises ValueError, OSError."""
        if problem := lacking("an image", "PIL"):
            raise ValueError(problem)
        from PIL import Image
        from transformers import AutoImageProcessor

        if not kept:
            kept.append(AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil"))
        with Image.open(io.BytesIO(data)) as image:
            shown = image.convert("RGB")
        return kept[0](images=[shown], return_tensors="pt")

    return read
