"""`python -m model_runtime.bench`: arguments in, table on stdout, progress on stderr.

Exit status: 0 measured, 1 cannot be measured here, 2 wrong use; one line on stderr says why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

from model_runtime.diffusion.faults import LOCAL, ModelError, lacking
from model_runtime.network import threads
from model_runtime.terminal import Parser, say, writable

threads.configure()  # as in the worker
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

STARTED = time.monotonic()
QUICK_S = 34.0  # from the start; a round under way may end later
ROUNDS, QUICK_ROUNDS = 5, 6
STEPS = 12


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="infill-ls bench", description="Time of a fill, beside transformers' generate.")
    parser.add_argument("--model", help="embedded (the default) or a folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="one setting, within 45 s, no torch.compile")
    parser.add_argument("--repeat", type=_count, help="rounds per setting, or steps per shape")
    parser.add_argument("--json", type=writable, metavar="FILE")
    parser.add_argument("--chart", type=writable, metavar="FILE", help="a PNG")
    parser.add_argument("--random-weights", choices=("26b", "tiny"), help="time denoise steps instead")
    args = parser.parse_args(argv)
    if args.model and args.random_weights:
        parser.error("--random-weights builds its own model; leave --model out")
    args.model = args.model or "embedded"
    return args


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    if problem := lacking("infill-ls bench", *LOCAL):
        say(problem)
        return 1
    say("loading torch")
    from model_runtime.bench import chart
    from model_runtime.bench.released import TooBig

    try:
        if args.chart:
            chart.pyplot()
        result, text = _steps(args) if args.random_weights else _fills(args)
    except (ModelError, TooBig, chart.ChartError) as error:
        say(str(error))
        return 1
    print(text)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        say(f"wrote {args.json}")
    if args.chart:
        (chart.draw_steps if args.random_weights else chart.draw)(result, args.chart)
        say(f"wrote {args.chart}")
    return 0


def _fills(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from model_runtime.bench import cases, machine, peak, report
    from model_runtime.bench.race import Race
    from model_runtime.inference.engine import load_engine
    from model_runtime.loading import model
    from model_runtime.network.modules import Network
    from model_runtime.protocol import Choice

    choice = Choice(model=args.model, device=args.device)
    engine: Any = load_engine(choice)
    own = engine.denoiser.model
    stock = model.load(choice, stock=True).denoiser.model if isinstance(own, Network) else own
    race = Race(engine, stock, say, compiled=not args.quick)
    wanted = [cases.BASE] if args.quick else cases.settings()
    rounds = args.repeat or (QUICK_ROUNDS if args.quick else ROUNDS)
    deadline = STARTED + QUICK_S if args.quick else None
    if args.quick:
        say("generate with static cache and torch.compile: skipped, compiling takes minutes (--quick)")
    outcomes = []
    # A static cache only ever grows. In order of size no setting has a larger one than it needs.
    for number, setting in enumerate(sorted(wanted, key=lambda one: (one.candidates, one.prefix)), 1):
        say(
            f"{number}/{len(wanted)}: prefix {setting.prefix}, hole {setting.hole}, "
            f"candidates {setting.candidates}"
        )
        outcomes.append(race.run(setting, rounds, deadline))
    where = {"model": args.model, "quick": args.quick, **machine.describe(engine.device)}
    if isinstance(own, Network):
        where["peak"] = peak.measure(engine.denoiser)
    outcomes.sort(key=lambda outcome: wanted.index(outcome.asked))
    result = report.as_json(outcomes, race.best, where)
    return result, report.table(result)


def _steps(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from model_runtime.bench import machine, steps
    from model_runtime.bench.released import random_model, weight_bytes
    from model_runtime.loading.devices import resolve_device

    started = time.monotonic()
    model = random_model(args.random_weights, resolve_device(args.device))
    denoiser = steps.local_denoiser(model)
    machine.synchronize(denoiser.device)
    say(f"model built in {time.monotonic() - started:.1f} s")
    result = {
        "random_weights": args.random_weights,
        "weights_bytes": weight_bytes(model),
        **steps.measure(denoiser, args.repeat or (4 if args.quick else STEPS), say),
        **machine.describe(denoiser.device),
    }
    return result, steps.table(result)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
