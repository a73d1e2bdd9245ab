"""Steps of training in this checkout and in another, in turns: seconds, tokens a second, and the losses.

    git worktree add OTHER 0c90cee
    python -m benchmarks.training_speed OTHER [--steps N] [--size S] [--compile] [--json FILE]

Both train a model (by default of the shipped size) from the same weights on the same batches of random
tokens, each in a process of its own, one step after the other. The other checkout need not have this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROWS, LENGTH, CANVASES, WIDTH, VOCABULARY = 4, 1024, 8, 96, 6144
FIRST_ID = 8  # ids below are no text
HOLE = slice(40, 60)  # of a canvas
TOKENS = ROWS * (LENGTH + CANVASES * WIDTH)  # of a step


def batch(step: int) -> Any:
    """Of random tokens; every canvas has its hole at the same place."""
    import torch

    from model_runtime.training.batches import Batch

    noise = torch.Generator().manual_seed(step)
    hole = torch.zeros(CANVASES, WIDTH, dtype=torch.bool)
    hole[:, HOLE] = True
    hole = hole.flatten().repeat(ROWS, 1)
    return Batch(
        torch.randint(FIRST_ID, VOCABULARY, (ROWS, LENGTH), generator=noise),
        torch.randint(FIRST_ID, VOCABULARY, (ROWS, CANVASES * WIDTH), generator=noise),
        hole,
        torch.zeros_like(hole),
        torch.randint(1, LENGTH, (ROWS, CANVASES), generator=noise),
        WIDTH,
    )


def train(size: str, *, compiled: bool) -> None:
    """One step for each line that is read, and a line of JSON about it."""
    from model_runtime.training import loop

    plan_of: Any = getattr(loop, "Plan")  # noqa: B009 (not where it is today)
    plan = plan_of(size, VOCABULARY, rows=ROWS, canvases=CANVASES, width=WIDTH, causal_steps=0)
    trainer = loop.Trainer(plan, Path(), "cpu", compiled)
    for step, _ in enumerate(sys.stdin):
        drawn, started = batch(step), time.perf_counter()
        losses = {name: float(loss) for name, loss in trainer.step(drawn, 1.0).items()}
        print(json.dumps({"seconds": time.perf_counter() - started} | losses), flush=True)


def compared(other: Path, steps: int, size: str, *, compiled: bool) -> dict[str, Any]:
    """The first step of each side warms up, and is in the losses alone."""
    from benchmarks.checkouts import in_turns  # which the other checkout, where `train` runs, need not have

    script = [str(Path(__file__).resolve()), "--train", "--size", size, *["--compile"] * compiled]
    told = in_turns(other, script, steps + 1)
    found: dict[str, Any] = {}
    for name, done in told.items():
        seconds = statistics.median(each["seconds"] for each in done[1:])
        losses = [[each["causal"], each["canvas"]] for each in done]
        found[name] = {"seconds": seconds, "tokens_per_s": TOKENS / seconds, "losses": losses}
    return found | {"ratio": found["there"]["seconds"] / found["here"]["seconds"], "compiled": compiled}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_speed")
    parser.add_argument("other", type=Path, nargs="?", help="a checkout")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--size", default="9m")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.train:
        train(options.size, compiled=options.compile)
        return 0
    if not options.other:
        parser.error("name the other checkout")
    found = compared(options.other, options.steps, options.size, compiled=options.compile)
    print("| | s a step | tokens/s | losses of the first and of the last step |\n|---|---|---|---|")
    for name in ("here", "there"):
        one = found[name]
        losses = "; ".join("{:.3f}, {:.3f}".format(*one["losses"][at]) for at in (0, -1))
        print(f"| {name} | {one['seconds']:.2f} | {one['tokens_per_s']:,.0f} | {losses} |")
    print(f"\n{found['ratio']:.2f} times as fast")
    if options.json:
        from model_runtime.bench import machine

        options.json.write_text(json.dumps(found | machine.describe("cpu"), indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
