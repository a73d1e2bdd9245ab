"""The released geometry with random weights on this machine's GPU, in one command of a few minutes:

    python benchmarks/gpu.py --out FOLDER          an H100 or H200 (80 GB), torch, transformers
    python benchmarks/gpu.py --out FOLDER --toy    the same code at toy size on a CPU
    python benchmarks/gpu.py --floors              bytes that a step touches, by arithmetic; anywhere

Writes gpu.json and, with matplotlib, gpu.png. Needs no network, no installed infill-ls and no weights.
Reports, in bf16 and then in fp8, int8 and int4: load time and memory; milliseconds per denoise step against
the memory's floor for canvas 64/128/256 and batch 1-8; a whole warm and cold fill; tokens per second at 16
steps per canvas, of each of 1 to 8 users and of all; and transformers' `generate` on the same weights and
prompt. What was compiled for one kind is forgotten before the next. No part begins when the time left is
short, and what is done by then is written.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from model_runtime.network import threads

threads.configure()  # as in the worker

import torch

from model_runtime.bench import chart, floors, machine, steps
from model_runtime.bench.released import TooBig, random_model
from model_runtime.diffusion.faults import one_line
from model_runtime.diffusion.interface import Branch
from model_runtime.loading.devices import resolve_device
from model_runtime.local.denoiser import LocalDenoiser

PREFIX, CANVAS, HOLE = 2048, 64, 32
FORWARDS = 8  # of a fill: one probe of all lengths, six steps on the best two, one causal pass to rank
PROBED, KEPT = 4, 2
FULL_CANVAS, CANVAS_STEPS = 256, 16
USERS = (1, 2, 4, 8)  # rows of a batch
KINDS = {"none": "bf16", "fp8": "fp8", "int8": "int8", "int4": "int4"}
STEPS_S = 130.0  # for the shapes as shipped, at most: compiling takes most of it
EAGER_S = 20.0
ROUNDS = 7  # of one measurement, at most
TOTAL_S = 440.0  # no part begins after that; one takes at most half a minute more


def main() -> int:
    parser = argparse.ArgumentParser(description="DiffusionGemma 26B-A4B's geometry, timed on a GPU.")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--out", type=Path, help="folder for gpu.json and gpu.png")
    wanted.add_argument("--floors", action="store_true", help="bytes by arithmetic; nothing is measured")
    parser.add_argument("--toy", action="store_true", help="toy size, on the CPU")
    parser.add_argument("--steps", type=int, default=20, help="timed steps per shape")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS], help="of weights")
    parser.add_argument("--total", type=float, default=TOTAL_S, help="seconds after which no part begins")
    args = parser.parse_args()
    if args.floors:
        print(floors.table(floors.floors()))
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    name, device = ("tiny", "cpu") if args.toy else ("26b", "auto")
    begun, results = time.monotonic(), {}
    if args.toy:
        shrink()
    share = args.total / len(args.kinds)
    for number, kind in enumerate(args.kinds, 1):
        say(KINDS[kind])
        try:
            results[kind] = measure(name, device, args.steps, kind, begun + number * share, 0.6 * share)
            keep(results, args.out)
        except TooBig as error:
            say(str(error))
        except Exception as error:  # a lent machine is not had twice: the other kind may work
            say(f"  {type(error).__name__}: {one_line(error)}")
        gc.collect()
        torch.compiler.reset()
        torch.cuda.empty_cache()
    if not results:
        return 1
    for kind, result in results.items():
        print(KINDS[kind])
        print(_lines(result))
        if "steps" in result:
            print(steps.table(result))
            try:
                chart.draw_steps(result, args.out / ("gpu.png" if kind == "none" else f"gpu-{kind}.png"))
            except chart.ChartError as error:
                say(str(error))
    complete = len(results) == len(args.kinds) and not any(result["failed"] for result in results.values())
    return 0 if complete else 1


def shrink() -> None:
    """To sizes that a CPU has done in seconds."""
    global PREFIX, FULL_CANVAS, CANVAS_STEPS, ROUNDS, USERS
    steps.CANVASES, steps.BATCHES, steps.PREFIX = (64,), (1,), 96
    PREFIX, FULL_CANVAS, CANVAS_STEPS, ROUNDS, USERS = 96, 64, 2, 1, (1, 8)


def keep(results: dict[str, dict[str, Any]], out: Path) -> None:
    """What is done so far: the first kind's results, and among them the others' by their names."""
    first, *others = results
    kept = results[first] | {kind: results[kind] for kind in others}
    (out / "gpu.json").write_text(json.dumps(kept, indent=1) + "\n")


def measure(name: str, device: str, count: int, kind: str, until: float, longest: float) -> dict[str, Any]:
    """Each part's problem is noted and the rest goes on: a lent machine is not had twice. No part begins
    after `until`, and of the shapes as shipped none after `longest` seconds."""
    begun = time.monotonic()
    target = resolve_device(device)
    if target.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = random_model(name, target, quantization=kind)
    denoiser = steps.local_denoiser(model, quantization=kind)
    machine.synchronize(denoiser.device)
    result: dict[str, Any] = {
        "random_weights": name,
        "quantization": kind,
        "weights_bytes": held_bytes(model),
        "build_s": round(time.monotonic() - begun, 2),
        **machine.describe(denoiser.device),
    }
    say(f"built in {result['build_s']} s")
    parts = {
        "steps": lambda: steps.measure(denoiser, count, say, min(STEPS_S, longest)),
        "fill": lambda: fills(denoiser),
        "canvas": lambda: canvases(denoiser),
        "generate": lambda: generate(denoiser),
        "eager": lambda: steps.measure(
            steps.local_denoiser(model, eager=True, quantization=kind), count, say, EAGER_S
        ),
    }
    result["failed"] = {}
    for part, run in parts.items():
        say(part)
        if time.monotonic() > until:
            result["failed"][part] = "not measured, out of time"
            continue
        try:
            found = run()
        except Exception as error:
            result["failed"][part] = f"{type(error).__name__}: {one_line(error)}"
            say(f"  {result['failed'][part]}")
        else:
            result |= found if part == "steps" else {part: found}
    if target.type == "cuda":
        result["peak_memory_bytes"] = torch.cuda.max_memory_allocated()
    result["total_s"] = round(time.monotonic() - begun, 1)
    return result


def held_bytes(model: Any) -> int:
    """Of weights and scales, those that are shared counted once."""
    tensors = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def fills(denoiser: LocalDenoiser) -> dict[str, Any]:
    """A whole fill of a 32-token hole behind a 2k-token prefix, with 8 forwards."""
    ids = steps.prompt(denoiser, PREFIX)
    rows = [steps.row(denoiser, CANVAS, HOLE, seed) for seed in range(PROBED)]
    head, after = list(rows[0].ids[:8]), list(rows[0].ids[-4:])

    def fill() -> None:
        running = denoiser.denoise(ids, rows, steps.policy(FORWARDS - 1), seed=0)
        found = next(running)
        for _ in range(FORWARDS - 2):
            found = running.send(list(range(KEPT)))
        running.close()
        denoiser.score(ids, head, [Branch(candidate, after) for candidate in found.read().ids])

    def cold() -> None:
        cache.clear()
        denoiser.prefill(ids)
        fill()

    cache: Any = denoiser.cache
    denoiser.prefill(ids)
    return {
        "prefix": PREFIX,
        "canvas": CANVAS,
        "hole": HOLE,
        "forwards": FORWARDS,
        "warm": timed(fill, denoiser.device),
        "cold": timed(cold, denoiser.device),
        "cache_bytes": cache.bytes,
    }


def canvases(denoiser: LocalDenoiser) -> list[dict[str, Any]]:
    """Whole canvases, nothing pinned, 16 steps each."""
    ids = steps.prompt(denoiser, PREFIX)
    found = []
    for batch in USERS:
        rows = [steps.row(denoiser, FULL_CANVAS, FULL_CANVAS, seed) for seed in range(batch)]

        def run(rows: list[Any] = rows) -> None:
            steps.step_times(denoiser, ids, rows, CANVAS_STEPS)

        took = timed(run, denoiser.device, rounds=3)
        per_s = batch * FULL_CANVAS / took["p50_ms"] * 1000
        each = {"tokens_per_s": round(per_s), "tokens_per_s_and_user": round(per_s / batch)}
        found.append({"batch": batch, "steps": CANVAS_STEPS, **each, **took})
    return found


def generate(denoiser: LocalDenoiser) -> dict[str, Any]:
    """transformers' own loop, 16 steps on its 256-token canvas after encoding the same prefix."""
    ids = torch.tensor([steps.prompt(denoiser, PREFIX)], device=denoiser.device)

    def run(count: int) -> Callable[[], None]:
        # A threshold that is never met: random weights must not decide when to stop.
        options = {"max_denoising_steps": count, "confidence_threshold": 1e-30}
        return lambda: denoiser.model.generate(ids, max_new_tokens=FULL_CANVAS, **options)

    whole = timed(run(CANVAS_STEPS), denoiser.device, rounds=3)
    short = timed(run(CANVAS_STEPS // 2), denoiser.device, rounds=3)
    step = (whole["p50_ms"] - short["p50_ms"]) / (CANVAS_STEPS - CANVAS_STEPS // 2)
    per_s = FULL_CANVAS / whole["p50_ms"] * 1000
    return {"steps": CANVAS_STEPS, "tokens_per_s": round(per_s), "ms_per_step": round(step, 2), **whole}


def timed(run: Callable[[], Any], device: str, rounds: int = 7) -> dict[str, float]:
    """After one untimed run."""
    times = []
    for number in range(min(rounds, ROUNDS) + 1):
        machine.synchronize(device)
        started = time.perf_counter()
        run()
        machine.synchronize(device)
        if number:
            times.append((time.perf_counter() - started) * 1000)
    return {"p50_ms": round(statistics.median(times), 2), "max_ms": round(max(times), 2)}


def _lines(result: dict[str, Any]) -> str:
    lines = [f"built in {result['build_s']} s; all took {result['total_s']} s"]
    if "peak_memory_bytes" in result:
        lines.append(f"peak memory {result['peak_memory_bytes'] / 1e9:.1f} GB")
    if fill := result.get("fill"):
        lines.append(
            f"fill of {fill['hole']} tokens, {fill['forwards']} forwards: "
            f"warm {fill['warm']['p50_ms']} ms, cold {fill['cold']['p50_ms']} ms"
        )
    for one in result.get("canvas", []):
        lines.append(
            f"{one['batch']} users, {one['steps']} steps per canvas: {one['tokens_per_s']} tokens/s in all, "
            f"{one['tokens_per_s_and_user']} each ({one['p50_ms']} ms)"
        )
    if stock := result.get("generate"):
        lines.append(
            f"transformers generate, {stock['steps']} steps: {stock['tokens_per_s']} tokens/s "
            f"({stock['p50_ms']} ms, {stock['ms_per_step']} ms per step)"
        )
    if eager := result.get("eager"):
        times = ", ".join(f"{one['canvas']}x{one['batch']} {one['p50_ms']:.1f}" for one in eager["steps"])
        lines.append(f"ms per step without compiled shapes (canvas x batch): {times}")
    lines += [f"{part} failed: {why}" for part, why in result["failed"].items()]
    return "\n".join(lines)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
