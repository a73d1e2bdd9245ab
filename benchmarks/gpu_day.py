"""What a lent GPU is for, in three commands of nine minutes each: train, bench, tests, in this order.

    python -m benchmarks.gpu_day --phase train --out FOLDER [--tokens FILE]   trains, anneals, exports weights
    python -m benchmarks.gpu_day --phase bench --out FOLDER                   the released geometry
    python -m benchmarks.gpu_day --phase tests --out FOLDER                   the engine's tests on the GPU
    python -m benchmarks.gpu_day --join FOLDER                                puts pieces of weights together

The clock starts with the process, and each ends by itself before it has run out. Needs torch, transformers
and tokenizers, and no network; other packages are taken from wheels in `.whl/`. `--work` (`build/gpu-day`)
keeps the run: a second `train` goes on from there. Home come a report, the log, and the weights as int8 in
pieces of less than 16 MiB. `--toy` runs the same on a CPU at toy size.
"""

from __future__ import annotations

import time

BEGUN = time.monotonic()  # before torch is imported, which takes its time

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / ".whl"
TOTAL_S = 540.0
RESERVE_S = 45.0  # of it, to validate, save and write home
ANNEALED = 0.35  # share of the training in which the rate falls to zero
PIECE = 15 << 20  # bytes
LOADERS = 8
TOY_STEPS = 3
ENGINE_TESTS = ("tests/model_runtime/local/test_device.py",)
KINDS = ("none", "fp8", "int8", "int4")
PEAK_SIZE, TOY_PEAK_SIZE = 8192, 256  # of the matrices whose product is timed
FLOPS = 6  # a parameter and token, forward and backward


class Clock:
    def __init__(self, total: float) -> None:
        self._end = BEGUN + total

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def guard(self) -> threading.Timer:
        """Ends this process when the time is over, whatever it is doing, unless that is cancelled."""
        timer = threading.Timer(max(1.0, self.left), os._exit, (124,))
        timer.daemon = True
        timer.start()
        return timer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_day")
    parser.add_argument("--phase", choices=PHASES)
    parser.add_argument("--out", type=Path, help="what comes home")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "gpu-day", help="the run itself")
    parser.add_argument("--tokens", type=Path, help="packed corpus; without it, what is installed there")
    parser.add_argument("--size", default="50m")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=TOTAL_S)
    parser.add_argument("--toy", action="store_true", help="toy size, on the CPU")
    parser.add_argument("--join", type=Path, metavar="FOLDER", help="put pieces together, and stop")
    options = parser.parse_args(arguments)
    if options.join:
        print(joined(options.join))
        return 0
    if not options.phase or not options.out:
        parser.error("--phase and --out are needed")
    for folder in (options.out, options.work):
        folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(options.seconds)
    guard = clock.guard()
    if options.toy:
        options.size, options.rows = "tiny", 1
    report = PHASES[options.phase](options, clock)
    guard.cancel()
    report["wall_s"] = round(options.seconds - clock.left, 1)
    (options.out / f"{options.phase}.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return int(report.get("status", 0))


def train(options: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """One slice of the trunk, then an anneal of it, in one process: nothing is compiled twice."""
    import torch

    from model_runtime.training import corpus, loader, loop, source
    from model_runtime.training.plan import Plan

    device = "cpu" if options.toy else "cuda"
    if options.tokens:
        opened = source.unpack(options.work, options.tokens)
    else:
        opened = source.prepare(options.work, *corpus.default_roots())
    trunk = options.work / loop.TRUNK
    plan = Plan(options.size, opened.tokenizer.get_vocab_size(), rows=options.rows)
    if options.toy:
        plan = Plan(options.size, plan.vocab_size, rows=1, canvases=2, causal_steps=1)
    if trunk.exists():
        plan = Plan(**torch.load(trunk, weights_only=True)["plan"])
    trainer = loop.Trainer(plan, options.work, device, compiled=not options.toy)
    if trunk.exists():
        trainer.load(trunk)
    check = source.Drawing(opened.folder, plan, held_out=True)()
    held_out = [
        loader.to_device(check.draw(i, min(plan.rows, 8), plan.canvases, plan.width_at(i)), trainer.device)
        for i in range(3)
    ]
    steps = loader.Steps(source.Drawing(opened.folder, plan), plan)
    drawn = loader.batches(steps, trainer.progress.step, trainer.device, 1 if options.toy else LOADERS)
    peak = flops_of(torch.device(device), TOY_PEAK_SIZE if options.toy else PEAK_SIZE)
    minutes = max(0.0, clock.left - min(RESERVE_S, clock.left / 3)) / 60
    before = vars(trainer.progress).copy()
    most = TOY_STEPS if options.toy else None
    loop.train(trainer, drawn, held_out, minutes * (1 - ANNEALED), anneal=False, steps=most)
    loop.train(trainer, drawn, held_out, minutes * ANNEALED, anneal=True, steps=most)
    return home(trainer, before, peak, options.out)


def home(trainer: Any, before: Mapping[str, float], peak: float, out: Path) -> dict[str, Any]:
    """Write what is to come home of a run; says how fast it was."""
    from model_runtime.loading import int8_file
    from model_runtime.training.curve import SEEN

    log = trainer.folder / "log.jsonl"
    (out / "log.jsonl").write_bytes(log.read_bytes())
    (out / "tokenizer.json").write_bytes((trainer.folder / "tokenizer.json").read_bytes())
    weights = getattr(trainer, trainer.shipped)
    int8_file.save(weights.state_dict(), trainer.folder)
    pieces = split(trainer.folder / int8_file.PACKED_FILE, out)
    now = vars(trainer.progress)
    tokens = sum(now[name] - before[name] for name in SEEN)
    speed = tokens / max(1e-9, now["seconds"] - before["seconds"])
    parameters = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return {
        "progress": now,
        "plan": vars(trainer.plan),
        "shipped": trainer.shipped,
        "tokens_per_s": round(speed),
        "parameters": parameters,
        "peak_tflops": round(peak / 1e12, 3),
        "share_of_peak": round(FLOPS * parameters * speed / peak, 4),
        "pieces": pieces,
    }


def flops_of(device: Any, size: int, rounds: int = 10) -> float:
    """FLOP/s of a product of bf16 matrices: the peak that training is held against."""
    import torch

    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for _ in range(3):
        left @ right
    wait()
    begun = time.perf_counter()
    for _ in range(rounds):
        left @ right
    wait()
    return 2 * size**3 * rounds / (time.perf_counter() - begun)


def split(file: Path, out: Path) -> list[str]:
    """The names of the pieces."""
    data = file.read_bytes()
    names = []
    for number, at in enumerate(range(0, len(data), PIECE)):
        names.append(f"{file.name}.{number:02d}")
        (out / names[-1]).write_bytes(data[at : at + PIECE])
    return names


def joined(folder: Path) -> Path:
    """The file whose pieces are in a folder, put together there."""
    pieces = sorted(folder.glob("*.safetensors.[0-9][0-9]"))
    whole = pieces[0].with_suffix("")
    whole.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return whole


def bench(options: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """`benchmarks/gpu.py`, a precision after another, as far as the time reaches."""
    into = options.work / "bench"
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--out", str(into), "--kinds", *KINDS]
    command += ["--total", str(clock.left - RESERVE_S), *(["--toy", "--steps", "1"] if options.toy else [])]
    report = run(command, clock.left - 3)
    if (into / "gpu.json").exists():
        report |= json.loads((into / "gpu.json").read_text())
    return report


def tests(options: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """The engine's tests, on the GPU and compiled."""
    device = "cpu" if options.toy else "cuda"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--device={device}"]
    return run([*command, *ENGINE_TESTS], clock.left - 3)


def run(command: Sequence[str], seconds: float) -> dict[str, Any]:
    """Its exit status and the end of what it said. 124: it was ended, the time being over."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=max(1.0, seconds)
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return {"status": 124, "said": said.decode()[-2000:] if isinstance(said, bytes) else said[-2000:]}
    return {"status": done.returncode, "said": (done.stdout + done.stderr)[-2000:]}


def environment() -> dict[str, str]:
    """With this checkout, and the packages that were carried along as wheels."""
    paths = [str(ROOT), *map(str, sorted(WHEELS.glob("*.whl"))), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


PHASES: Mapping[str, Callable[[argparse.Namespace, Clock], dict[str, Any]]] = {
    "train": train,
    "bench": bench,
    "tests": tests,
}

if __name__ == "__main__":
    sys.exit(main())
