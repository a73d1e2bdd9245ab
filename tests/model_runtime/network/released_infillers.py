"""Shapes of the released masked-diffusion models, from their config.json; their files were not seen."""

from __future__ import annotations

from model_runtime.network.memory_budget import Keys, Weights


def shapes(
    hidden: int, layers: int, shared: int, inner: int, vocabulary: int, *, tied: bool
) -> dict[str, tuple[int, ...]]:
    """Of a Qwen2: `shared` is the width of keys and values, `inner` that of the MLP."""
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    if not tied:
        found["lm_head.weight"] = (vocabulary, hidden)
    for layer in range(layers):
        at = f"model.layers.{layer}."
        for part, width in (("q", hidden), ("k", shared), ("v", shared)):
            found[f"{at}self_attn.{part}_proj.weight"] = (width, hidden)
            found[f"{at}self_attn.{part}_proj.bias"] = (width,)
        found[f"{at}self_attn.o_proj.weight"] = (hidden, hidden)
        found |= {f"{at}mlp.{part}_proj.weight": (inner, hidden) for part in ("gate", "up")}
        found[f"{at}mlp.down_proj.weight"] = (hidden, inner)
        found |= {f"{at}{part}_layernorm.weight": (hidden,) for part in ("input", "post_attention")}
    return found


GEOMETRY = {
    "Dream-org/DreamOn-v0-7B": (152_064, shapes(3584, 28, 512, 18_944, 152_064, tied=False)),
    "fredzzp/open-dcoder-0.5B": (151_936, shapes(896, 24, 128, 4864, 151_936, tied=True)),
}
SIZES = {
    name: (Weights.of(found), Keys.of(found, {}), vocabulary)
    for name, (vocabulary, found) in GEOMETRY.items()
}
