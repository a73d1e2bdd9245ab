"""`python -m evaluation`: arguments in, table on stdout, progress on stderr.

Exit status: 0 measured, 1 cannot be measured here, 2 wrong use; one line on stderr says why.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_runtime.diffusion.faults import LOCAL, ModelError, lacking
from model_runtime.network import threads
from model_runtime.terminal import Parser, say, writable

threads.configure()  # as in the worker
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="infill-ls eval", description="How good are the suggestions?")
    parser.add_argument(
        "data",
        nargs="+",
        type=Path,
        metavar="DATA",
        help="JSON lines, .gz or not, or a folder of `benchmarks.projects`",
    )
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="of a folder's projects")
    parser.add_argument("--language", default="python", metavar="ID", help="of a folder's projects")
    parser.add_argument("--model", default="embedded", help="embedded or a folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backend", help="local, vllm or openai")
    parser.add_argument("--backend-url", metavar="URL,...", help="where the backend's servers are")
    parser.add_argument("--limit", type=_count, metavar="N", help="at most N places of each kind")
    parser.add_argument("--seed", type=int, default=0, help="which places --limit draws")
    parser.add_argument("--threshold", type=_share, help="shown from this confidence on (default: infill's)")
    parser.add_argument("--calibrate", action="store_true", help="fit the model's confidence to DATA")
    parser.add_argument(
        "--calibrate-lengths",
        action="store_true",
        help="measure how sure the model is of each length of a hole",
    )
    parser.add_argument(
        "--suite",
        choices=("humaneval-infilling",),
        help="DATA is this suite's: the model alone, beside its published figure",
    )
    parser.add_argument("--only", action="append", metavar="VARIANT", help="this contender; may be repeated")
    parser.add_argument("--ablation", action="store_true", help="what ships, and without each of its parts")
    parser.add_argument("--readme", action="store_true", help="print one short table, as in the README")
    parser.add_argument("--next-edits", action="store_true", help="DATA are chains of edits; asks no model")
    parser.add_argument("--fim", type=Path, metavar="FOLDER", help="a model trained with --objective fim")
    parser.add_argument("--json", type=writable, metavar="FILE")
    parser.add_argument("--chart", type=writable, metavar="FILE", help="a PNG")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = arguments(argv)
    if args.next_edits:
        return _next_edits(args)
    if problem := lacking("infill-ls eval", *LOCAL):
        say(problem)
        return 1
    from evaluation import hole_set
    from evaluation.places import DataError, chosen, read
    from model_runtime.bench.chart import ChartError, pyplot

    try:
        places = [
            place
            for path in args.data
            for place in (hole_set.read(path, args.split, args.language) if path.is_dir() else read(path))
        ]
        places = chosen(places, args.limit, args.seed)
        if args.chart:
            pyplot()
    except (DataError, ChartError) as error:
        say(str(error))
        return 2 if isinstance(error, DataError) else 1
    try:
        return asyncio.run(_measured(args, places))
    except DataError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted before anything was measured")
        return 1


def _next_edits(args: argparse.Namespace) -> int:
    from evaluation import next_edits
    from evaluation.places import DataError
    from model_runtime.bench import machine

    try:
        chains = [chain for path in args.data for chain in next_edits.read(path)]
    except DataError as error:
        say(str(error))
        return 2
    figures, table = next_edits.table(next_edits.measure(chains))
    print(table)
    if args.json:
        projects = sorted({chain.project for chain in chains})
        result = {"projects": projects, "chains": len(chains), **figures, "table": table}
        args.json.write_text(json.dumps(result | machine.describe("cpu"), indent=1) + "\n", "utf-8")
        say(f"wrote {args.json}")
    return 0


async def _measured(args: argparse.Namespace, places: Any) -> int:
    from evaluation import calibrate, chart, report
    from evaluation.contenders import SHIPPED, Shipped
    from evaluation.run import Findings, measure
    from evaluation.selection import UnknownContender, select
    from lsp_server.config.settings import resolve
    from model_runtime.baselines.registry import ABLATION
    from model_runtime.bench import machine

    chosen = {"model": args.model, "device": args.device}
    settings, problems = resolve(chosen | {"backend": args.backend, "backendUrl": args.backend_url})
    if problems:
        problem = problems[0].replace("infill.backendUrl", "--backend-url").replace("infill.", "--")
        say(problem.partition("; using")[0])
        return 2
    opened = {place.language for place in places if place.project}
    settings = replace(settings, languages=tuple(dict.fromkeys([*settings.languages, *sorted(opened)])))
    if args.suite:
        from evaluation import suite

        try:
            print(suite.run(settings.choice, places))
        except suite.CannotCompare as error:
            say(str(error))
            return 1
        return 0
    if args.calibrate_lengths:
        from evaluation import calibrate_lengths

        try:
            say(await calibrate_lengths.run(settings, places))
        except calibrate.CannotCalibrate as error:
            say(str(error))
            return 1
        return 0
    threshold = settings.confidence_threshold if args.threshold is None else args.threshold
    try:
        say("loading the model")
        only = [*(args.only or ()), *([SHIPPED, *ABLATION] if args.ablation else ())]
        only = [SHIPPED] if args.calibrate else only
        contenders, labels = select(settings, only, args.fim)
    except (UnknownContender, ModelError) as error:
        say(str(error))
        return 2 if isinstance(error, UnknownContender) else 1
    shipped = contenders.get(SHIPPED)
    findings = Findings()
    try:
        if isinstance(shipped, Shipped) and args.calibrate:
            await calibrate.begin(shipped)
        elif isinstance(shipped, Shipped) and (problem := await shipped.start()):
            say(problem)
            return 1
        run = asyncio.ensure_future(measure(places, contenders, settings, findings))
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, run.cancel)
        try:
            await run
        except asyncio.CancelledError:
            say("\ninterrupted: what follows is what was measured so far")
        if args.calibrate:
            say(calibrate.finish(settings.choice, findings.claims()))
    except calibrate.CannotCalibrate as error:
        say(str(error))
        return 1
    finally:
        if isinstance(shipped, Shipped):
            await shipped.stop()
    if not findings.outcomes and not findings.silence:
        say("nothing was measured; these files hold only places for the contender `shipped`")
        return 1
    result = {
        "model": args.model,
        "data": [path.name for path in args.data],
        "split": args.split if opened else None,
        "languages": sorted(opened),
        "limit": args.limit,
        "seed": args.seed,
        "threshold": threshold,
        "contenders": labels,
        "rows": findings.rows(threshold),
        "quiet": findings.quiet(threshold),
        "claims": [[round(confidence, 4), right] for confidence, right in findings.claims()],
        **machine.describe(args.device),
    }
    result["table"] = report.table(result)  # Markdown, for the model card
    print(report.by_kind(result) if args.readme else result["table"])
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        say(f"wrote {args.json}")
    if args.chart:
        chart.draw(result, args.chart)
        say(f"wrote {args.chart}")
    return 0


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
