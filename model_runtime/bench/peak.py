"""Which fraction of the chip's own peak a denoise step of the embedded network reaches.

The peak is that of one large product in the arithmetic of the network, measured in the same run; a step's
operations are counted from the network's sizes. Only products are counted, those of attention included.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from model_runtime.bench import steps
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.network.arithmetic import matrix
from model_runtime.network.forward import SLIDING

SIDE = 1024  # rows, inputs and outputs of the large product
PREFIX, CANVAS, HOLE = 1000, 96, 33
ROUNDS = 10


def measure(denoiser: LocalDenoiser) -> dict[str, Any]:
    """`share`: how much of the peak a step reaches."""
    square = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    product = matrix(square, denoiser.dtype)
    with torch.inference_mode():
        per_s = 2 * SIDE**3 / _fastest(lambda: product(square))
    ids, rows = steps.prompt(denoiser, PREFIX), [steps.row(denoiser, CANVAS, HOLE)]
    denoiser.prefill(ids)
    took = statistics.median(
        time_ms for _ in range(ROUNDS) for time_ms in steps.step_times(denoiser, ids, rows, 1)
    )
    count = operations(denoiser.model.config.text_config, PREFIX, CANVAS, HOLE)
    return {
        "dtype": denoiser.dtype,
        "gflops": round(per_s / 1e9, 1),
        "step_ms": round(took, 2),
        "step_gflop": round(count / 1e9, 3),
        "share": round(count / took * 1000 / per_s, 3),
    }


def operations(text: Any, prefix: int, canvas: int, hole: int) -> int:
    """Of one decoder pass over one row: two for each product of two numbers. The last layer's queries,
    feed-forward blocks and the head are computed for the hole alone, its keys and values for all."""
    size, head = text.hidden_size, text.head_dim
    queries, keys = text.num_attention_heads * head, text.num_key_value_heads * head
    experts = text.num_experts * text.moe_intermediate_size
    count = 3 * canvas * size * text.intermediate_size + hole * size * text.vocab_size
    for number, kind in enumerate(text.layer_types, 1):
        tokens = hole if number == len(text.layer_types) else canvas
        seen = canvas + (min(prefix, text.sliding_window - 1) if kind == SLIDING else prefix)
        projected = queries + (2 * keys if kind == SLIDING else keys)
        blocks = 3 * (text.intermediate_size + experts) + text.num_experts
        count += canvas * size * projected + tokens * size * (queries + blocks)
        count += 2 * tokens * seen * queries
    return 2 * count


def _fastest(run: Callable[[], Any]) -> float:
    """Seconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)
