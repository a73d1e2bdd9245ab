"""Models of the released shape with random weights."""

from __future__ import annotations

import pytest
import torch

from model_runtime.bench import released


def test_random_weights_are_tied_and_have_what_is_not_a_weight() -> None:
    model = released.random_model("tiny", torch.device("cpu"))
    text = model.config.text_config
    encoder, decoder = model.model.encoder.language_model, model.model.decoder
    assert encoder.layers[0].experts.down_proj is decoder.layers[0].experts.down_proj
    assert model.lm_head.weight is decoder.embed_tokens.weight
    assert decoder.embed_tokens.weight.dtype == torch.bfloat16
    assert decoder.embed_tokens.embed_scale == text.hidden_size**0.5
    assert decoder.rotary_emb.sliding_attention_inv_freq[0] == 1
    assert decoder.rotary_emb.sliding_attention_inv_freq[-1] < 1
    assert not any(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])


def test_the_released_geometry() -> None:
    """The sizes that FP8 and memory tables are computed from."""
    with torch.device("meta"):
        model = released.DiffusionGemmaForBlockDiffusion(released.config(released.GEOMETRIES["26b"]))
    assert released.weight_bytes(model) == pytest.approx(2 * 25.251e9, rel=1e-4)
    kinds = model.config.text_config.layer_types
    assert [i for i, kind in enumerate(kinds) if kind == "full_attention"] == [5, 11, 17, 23, 29]
