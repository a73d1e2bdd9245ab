"""What a fill asks of a server: tokens of prompt and canvas, measured over places in real files.

    python -m benchmarks.request_mix [--places N] [--json FILE]

Runs the server's pipeline and the engine with the embedded model at held-out places, and counts what a vLLM
server would have been sent. docs/deploy.md derives users per GPU from it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from evaluation import places
from lsp_server.config.settings import Settings
from lsp_server.infilling.pipeline import suggest
from lsp_server.text.document import Snapshot
from lsp_server.text.syntax import Parses
from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.engine import Engine, load_engine
from model_runtime.protocol import Choice, Done, Infill, Refused

DATA = Path(__file__).parent / "data" / "held-out.jsonl.gz"


class Counted:
    """A worker that answers with the engine and notes what was asked of its denoiser."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rows: list[dict[str, int]] = []
        self._wrap()

    def _wrap(self) -> None:
        denoise = self.engine.denoiser.denoise

        def denoised(prompt: Sequence[int], rows: Any, policy: Any, seed: int) -> Any:
            self.row |= {"prompt": len(prompt), "rows": len(rows), "canvas": len(rows[0].ids)}
            return denoise(prompt, rows, policy, seed)

        self.engine.denoiser.denoise = denoised  # type: ignore[method-assign]

    async def fill(self, request: Infill, on_draft: Any = None) -> Done | Refused:
        self.row: dict[str, int] = {}
        try:
            fill = self.engine.run(request)
        except Unfillable as error:
            return Refused(request.id, error.reason, str(error))
        self.rows.append(self.row)
        return Done(request.id, fill.texts, fill.confidence, fill.steps, 0.0, 0.0, 0.0)


async def measured(count: int) -> list[dict[str, int]]:
    counted = Counted(load_engine(Choice(device="cpu")))
    for place in places.chosen(list(places.read(DATA)), count, 0):
        snapshot = Snapshot("file:///place.py", 0, place.language, place.before + place.after)
        settings = Settings(confidence_threshold=0.0)
        await suggest(snapshot, len(place.before), counted, settings, Parses(), invoked=True)
    return counted.rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request_mix")
    parser.add_argument("--places", type=int, default=25, help="of each kind")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = asyncio.run(measured(args.places))
    found: dict[str, dict[str, float]] = {}
    for name in ("prompt", "rows", "canvas"):
        values = sorted(row[name] for row in rows if name in row)
        cuts = quantiles(values, n=10)
        found[name] = {"p50": cuts[4], "p90": cuts[8], "mean": sum(values) / len(values)}
        print(f"{name:>14}  p50 {cuts[4]:7.0f}  p90 {cuts[8]:7.0f}  mean {found[name]['mean']:7.1f}")
    print(f"{len(rows)} fills")
    if args.json:
        args.json.write_text(json.dumps({"fills": len(rows)} | found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
