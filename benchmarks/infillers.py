"""How long a fill of an open masked-diffusion model takes: its geometry with random weights, on this machine.

`python -m benchmarks.infillers` builds Open-dCoder's geometry and times fills of one hole in two ways, in
turn, so that a busy machine slows both alike: every pass over all of the window, and passes over the hole
alone with what is around it kept. Random weights are never sure enough to stop early. `--layers` builds fewer
layers: of DreamOn's 7 billion parameters a laptop holds some, and layers take all but the same time. `--kind
bytes` is what `infill.quantization` int8 does on an x86 CPU, `int8` what it does elsewhere. Prints JSON: of
each way the median seconds of a fill, those of the first step, which is over all of the window, and of the
others, and the seconds of all threads together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from model_runtime.diffusion.interface import Row
from model_runtime.loading import infiller_model
from model_runtime.local.masked_denoiser import MaskedDenoiser
from model_runtime.network import backbone, threads
from model_runtime.prompting import infillers
from model_runtime.prompting.infillers import DREAMON, OPEN_DCODER, Infiller

# hidden, layers, heads, heads of keys and values, MLP, rows of the table, tied
SIZES = {
    OPEN_DCODER.id: (896, 24, 14, 2, 4864, 151_936, True),
    DREAMON.id: (3584, 28, 28, 4, 18_944, 152_064, False),
}
RECORDS = {record.id: record for record in (OPEN_DCODER, DREAMON)}


def network(id: str, layers: int, kind: str, dtype: torch.dtype) -> Any:
    """Random weights, packed layer by layer; norms are those of an untrained model."""
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
        make, size = (torch.ones, 1.0) if "norm" in name else (torch.randn, 0.02)
        value = make(parameter.shape, dtype=dtype) * size
        infiller_model.place(model, name, value, dtype, kind)
    if tied:
        infiller_model.tie(model, dtype, kind)
    return backbone.bidirectional(model.eval())


@dataclass(frozen=True)
class Fill:
    seconds: float
    first: float  # of them, the first step
    processor: float  # seconds of all threads
    steps: int
    tokens: int  # computed


def timed(model: Any, record: Infiller, window: int, hole: int, *, exact: bool) -> Fill:
    """One fill of one hole."""
    profile = infillers.profile(record, window=window, special=frozenset())
    denoiser = MaskedDenoiser(model, record, profile, exact=exact)
    before, after = window - hole - window // 4, window // 4
    size = hole + 1 if record.finds_length else hole
    row = Row([*range(100, 100 + size), *range(500, 500 + after)], [False] * size + [True] * after)
    started, used = time.perf_counter(), time.process_time()
    ends = [
        time.perf_counter()
        for _ in denoiser.denoise(list(range(1000, 1000 + before)), [row], record.policy(), 0)
    ]
    used = time.process_time() - used
    return Fill(ends[-1] - started, ends[0] - started, used, len(ends), denoiser.passes.tokens)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


def main() -> None:
    threads.configure()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=OPEN_DCODER.id, choices=sorted(SIZES))
    parser.add_argument("--layers", type=int, help="build so many (default: all)")
    parser.add_argument("--kind", default=infiller_model.BYTES, choices=("none", "bytes", "int8", "int4"))
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--hole", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    whole = SIZES[args.model][1]
    layers = args.layers or whole
    model = network(args.model, layers, args.kind, getattr(torch, args.dtype))
    found: dict[str, list[Fill]] = {"plain": [], "kept": []}
    for _ in range(args.repeats + 1):
        for name, runs in found.items():
            exact = name == "plain"
            runs.append(timed(model, RECORDS[args.model], args.window, args.hole, exact=exact))
    told: dict[str, Any] = {"layers": layers, "of": whole, "threads": torch.get_num_threads(), **vars(args)}
    for name, runs in found.items():
        one = runs[-1]
        told[name] = {
            "s": _median(run.seconds for run in runs[1:]),  # the first one warms up
            "first_step_s": _median(run.first for run in runs[1:]),
            "later_step_s": _median((run.seconds - run.first) / max(1, run.steps - 1) for run in runs[1:]),
            "processor_s": _median(run.processor for run in runs[1:]),
            "steps": one.steps,
            "tokens": one.tokens,
        }
    pairs = list(zip(found["plain"][1:], found["kept"][1:], strict=True))
    told["plain_to_kept"] = _median(plain.seconds / kept.seconds for plain, kept in pairs)
    told["plain_to_kept_processor"] = _median(plain.processor / kept.processor for plain, kept in pairs)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
