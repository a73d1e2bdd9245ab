"""How long a fill of an open masked-diffusion model takes: its geometry with random weights, on this machine.

`python -m benchmarks.infillers` builds Open-dCoder's geometry and times fills of one hole in two ways, in
turn, so that a busy machine slows both alike: every pass over all of the window, and passes over the hole
alone with what is around it kept. Random weights are never sure enough to stop early. `--layers` builds fewer
layers: of DreamOn's 7 billion parameters a laptop holds some, and layers take all but the same time. Prints
JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import torch
from torch import nn

from model_runtime.diffusion.interface import Row
from model_runtime.local.masked_denoiser import MaskedDenoiser
from model_runtime.network import backbone, quantized_layers, threads
from model_runtime.network.memory_budget import packed_as
from model_runtime.prompting import infillers
from model_runtime.prompting.infillers import DREAMON, OPEN_DCODER, Infiller

# hidden, layers, heads, heads of keys and values, MLP, rows of the table, tied
SIZES = {
    OPEN_DCODER.id: (896, 24, 14, 2, 4864, 151_936, True),
    DREAMON.id: (3584, 28, 28, 4, 18_944, 152_064, False),
}
RECORDS = {record.id: record for record in (OPEN_DCODER, DREAMON)}


def network(id: str, layers: int, kind: str, dtype: torch.dtype) -> Any:
    """Random weights, packed layer by layer."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    hidden, _, heads, shared, inner, rows, tied = SIZES[id]
    fields: dict[str, Any] = {"rope_theta": 1e6, "attn_implementation": "sdpa"}
    config = Qwen2Config(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        intermediate_size=inner,
        vocab_size=rows,
        tie_word_embeddings=tied,
        **fields,
    )
    with torch.device("meta"):
        model: Any = Qwen2ForCausalLM(config)
        model = model.to(dtype)
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    for name, parameter in list(model.named_parameters()):
        module: Any = model.get_submodule(name.rpartition(".")[0])
        own = name.rpartition(".")[2]
        value = torch.randn(parameter.shape, dtype=dtype) * 0.02
        packed = packed_as(name, kind)
        if packed is not None:
            value, scale = quantized_layers.pack_slowly(value, packed)
            quantized_layers.attach(module, own, scale, dtype)
        setattr(module, own, nn.Parameter(value, requires_grad=False))
    if tied:
        model.lm_head.weight = model.model.embed_tokens.weight
    return backbone.bidirectional(model.eval())


def timed(model: Any, record: Infiller, window: int, hole: int, *, exact: bool) -> tuple[float, int, int]:
    """(seconds, steps, tokens computed) of one fill."""
    profile = infillers.profile(record, window=window, special=frozenset())
    policy = record.policy()
    denoiser = MaskedDenoiser(model, record, profile, exact=exact)
    before, after = window - hole - window // 4, window // 4
    size = hole + 1 if record.finds_length else hole
    row = Row([*range(100, 100 + size), *range(500, 500 + after)], [False] * size + [True] * after)
    started, steps = time.perf_counter(), 0
    for _ in denoiser.denoise(list(range(1000, 1000 + before)), [row], policy, 0):
        steps += 1
    return time.perf_counter() - started, steps, denoiser.passes.tokens


def main() -> None:
    threads.configure()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=OPEN_DCODER.id, choices=sorted(SIZES))
    parser.add_argument("--layers", type=int, help="build so many (default: all)")
    parser.add_argument("--kind", default="int8", choices=("none", "int8", "int4"))
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--hole", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    whole = SIZES[args.model][1]
    layers = args.layers or whole
    model = network(args.model, layers, args.kind, getattr(torch, args.dtype))
    found: dict[str, list[tuple[float, int, int]]] = {"plain": [], "kept": []}
    for _ in range(args.repeats + 1):
        for name, runs in found.items():
            exact = name == "plain"
            runs.append(timed(model, RECORDS[args.model], args.window, args.hole, exact=exact))
    told: dict[str, Any] = {"layers": layers, "of": whole, **vars(args)}
    for name, runs in found.items():
        seconds = statistics.median(run[0] for run in runs[1:])  # the first one warms up
        told[name] = {"s": round(seconds, 3), "steps": runs[-1][1], "tokens": runs[-1][2]}
    pairs = zip(found["plain"][1:], found["kept"][1:], strict=True)
    told["plain_to_kept"] = round(statistics.median(a[0] / b[0] for a, b in pairs), 2)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
