"""The configuration of a DiffusionGemma that this project makes itself, trained or random."""

from __future__ import annotations

from typing import Any

from transformers import DiffusionGemmaConfig


def text_config(text: dict[str, Any], canvas_length: int) -> DiffusionGemmaConfig:
    """The configuration of a model that reads no images. The class always builds a vision tower, so this one
    is as small as it can be. `text`: fields of the text model's configuration."""
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
