"""Time of a denoise step of a model with random weights, against its floor: the time to read its bytes.

A step reads every weight once (of the experts only those that its tokens are routed to, which is counted),
the embedding table twice (head and self-conditioning), and the prefix's keys and values. The bandwidth is
that of a large copy on the same device in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch

from model_runtime.bench.machine import synchronize
from model_runtime.bench.report import p90
from model_runtime.diffusion.faults import one_line
from model_runtime.diffusion.interface import DenoiseError, Row
from model_runtime.diffusion.policy import Policy, entropy_bound, linear_temperature
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import PrefixCache
from model_runtime.network import moe
from model_runtime.prompting.profiles import EMBEDDED

CANVASES, BATCHES = (64, 256, 128), (1, 8, 4, 2)  # the most important first, in case time runs out
HOLE, PREFIX = 32, 2048
FIRST_ID = EMBEDDED.first_text_id
WARM_UP = 3
CACHE_BYTES = 8 * 2**30


@dataclass(frozen=True)
class Shape:
    canvas: int
    batch: int
    hole: int
    p50_ms: float
    p90_ms: float
    floor_ms: float
    ratio_to_floor: float
    experts_touched: float  # share, mean over layers
    warm_up_s: float  # compiling included


def local_denoiser(model: Any, eager: bool = False, quantization: str = "none") -> LocalDenoiser:
    """As the worker has it on this device; `eager`: without compiled shapes."""
    weight = model.get_input_embeddings().weight
    gpu = weight.is_cuda
    moe.choose(model, weight.device, quantization)
    compiled = gpu and not eager
    return LocalDenoiser(model, EMBEDDED, PrefixCache(CACHE_BYTES), static=compiled, late=compiled)


def policy(steps: int) -> Policy:
    """The released sampler without its stop rule: `steps` steps, always."""
    return Policy(
        temperature=linear_temperature(0.4, 0.8),
        accept=entropy_bound(0.1),
        stop=lambda before, after, relevant: torch.zeros_like(after.finished),
        max_steps=steps,
    )


def prompt(denoiser: LocalDenoiser, length: int, seed: int = 0) -> list[int]:
    vocabulary = denoiser.model.config.text_config.vocab_size
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(FIRST_ID, vocabulary, (length,), generator=generator).tolist()


def row(denoiser: LocalDenoiser, canvas: int, hole: int, seed: int = 0) -> Row:
    """A hole in the middle of a canvas of pinned ids."""
    before = (canvas - hole) // 2
    pinned = [not before <= i < before + hole for i in range(canvas)]
    return Row(prompt(denoiser, canvas, seed), pinned)


def bandwidth(device: str) -> float:
    """Bytes a second, read plus written, of a copy too large for any cache."""
    count = 2**31 if device.startswith("cuda") else 2**27
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    times = []
    for _ in range(10):
        synchronize(device)
        started = time.perf_counter()
        target.copy_(source)
        synchronize(device)
        times.append(time.perf_counter() - started)
    return 2 * count / statistics.median(times)


def measure(
    denoiser: LocalDenoiser,
    steps: int,
    say: Callable[[str], None],
    seconds: float = float("inf"),
) -> dict[str, Any]:
    """Every canvas and batch: `steps` timed steps each, after a warm-up. No new shape is begun once
    `seconds` have passed."""
    begun = time.monotonic()
    per_second = bandwidth(denoiser.device)
    ids = prompt(denoiser, PREFIX)
    denoiser.prefill(ids)
    shapes: list[Shape] = []
    problems: list[str] = []
    for batch in BATCHES:
        for canvas in CANVASES:
            what = f"canvas {canvas}, batch {batch}"
            if time.monotonic() - begun > seconds:
                problems.append(f"{what}: not measured, out of time")
                continue
            rows = [row(denoiser, canvas, HOLE, seed) for seed in range(batch)]
            try:
                found = _shape(denoiser, ids, rows, steps, per_second)
            except (DenoiseError, RuntimeError) as error:
                problems.append(f"{what}: {one_line(error)}")
                say(f"  {problems[-1]}")
                continue
            shapes.append(found)
            say(f"  {what}: {found.p50_ms:.2f} ms, floor {found.floor_ms:.2f} ms")
    shapes.sort(key=lambda shape: (shape.batch, shape.canvas))
    return {
        "bandwidth_gb_s": round(per_second / 1e9, 1),
        "prefix": PREFIX,
        "hole": HOLE,
        "steps": [asdict(shape) for shape in shapes],
        "problems": problems,
    }


def step_times(denoiser: LocalDenoiser, ids: Sequence[int], rows: Sequence[Row], steps: int) -> list[float]:
    """Milliseconds of each of `steps` steps on an encoded prompt. The device is waited for only where the
    denoiser itself does, and after the last step."""
    running = denoiser.denoise(ids, rows, policy(steps), seed=0)
    synchronize(denoiser.device)
    marks = [time.perf_counter()]
    for proposal in running:
        if proposal.step == steps:
            synchronize(denoiser.device)
        marks.append(time.perf_counter())
    return [(after - before) * 1000 for before, after in pairwise(marks)]


def table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['random_weights']} geometry, random weights, on {result['hardware']}; "
        f"torch {result['torch']}, transformers {result['transformers']}",
        f"weights {result['weights_bytes'] / 1e9:.1f} GB, copy {result['bandwidth_gb_s']:.0f} GB/s, "
        f"prefix {result['prefix']}, hole {result['hole']}",
        "",
        f"{'canvas':>7}{'batch':>7}{'p50 ms':>10}{'p90 ms':>10}{'floor ms':>10}{'x floor':>9}{'experts':>9}",
    ]
    lines += [
        f"{one['canvas']:>7}{one['batch']:>7}{one['p50_ms']:>10.2f}{one['p90_ms']:>10.2f}"
        f"{one['floor_ms']:>10.2f}{one['ratio_to_floor']:>9.2f}{one['experts_touched']:>9.0%}"
        for one in result["steps"]
    ]
    return "\n".join([*lines, *result["problems"]])


def _shape(denoiser: LocalDenoiser, ids: list[int], rows: list[Row], steps: int, per_second: float) -> Shape:
    touched = _experts_touched(denoiser, ids, rows)
    begun = time.monotonic()
    step_times(denoiser, ids, rows, WARM_UP)
    warm_up_s = time.monotonic() - begun
    times = step_times(denoiser, ids, rows, steps + 1)[1:]  # the first has no self-conditioning
    p50 = statistics.median(times)
    floor = bytes_read(denoiser, len(ids), touched) / per_second * 1000
    return Shape(
        canvas=len(rows[0].ids),
        batch=len(rows),
        hole=HOLE,
        p50_ms=round(p50, 3),
        p90_ms=round(p90(times), 3),
        floor_ms=round(floor, 3),
        ratio_to_floor=round(p50 / floor, 3),
        experts_touched=round(touched, 3),
        warm_up_s=round(warm_up_s, 2),
    )


def bytes_read(denoiser: LocalDenoiser, prefix: int, experts_touched: float) -> float:
    """Bytes that one step reads; rows of a batch share the weights and the prefix."""
    decoder = denoiser.model.model.decoder
    text = denoiser.model.config.text_config
    embedding = decoder.embed_tokens.weight
    total = 2.0 * embedding.numel() * embedding.element_size()
    for name, weight in decoder.named_parameters():
        if weight is not embedding:
            share = experts_touched if ".experts." in name else 1.0
            total += weight.numel() * weight.element_size() * share
    for kind, layer in zip(text.layer_types, decoder.layers, strict=True):
        seen = min(prefix, text.sliding_window - 1) if kind == "sliding_attention" else prefix
        total += 2 * seen * layer.self_attn.k_proj.weight.shape[0] * decoder.norm.weight.element_size()
    return total


def _experts_touched(denoiser: LocalDenoiser, ids: list[int], rows: list[Row]) -> float:
    """Share of the experts that one step of all rows is routed to, mean over layers. Counted by hooks, which
    compiled code does not run, so in a denoiser of its own without compiled shapes."""
    shares: list[float] = []

    def note(router: Any, _: Any, output: tuple[torch.Tensor, ...]) -> None:
        shares.append(output[-1].unique().numel() / router.config.num_experts)

    eager = LocalDenoiser(denoiser.model, denoiser.profile, denoiser.cache)
    layers = denoiser.model.model.decoder.layers
    hooks = [layer.router.register_forward_hook(note) for layer in layers]
    try:
        step_times(eager, ids, rows, 1)
    finally:
        for hook in hooks:
            hook.remove()
    return statistics.mean(shares)
