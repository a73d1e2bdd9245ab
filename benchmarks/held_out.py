"""Cut the test holes: a file for `infill-ls eval` from the projects that training held out.

    python -m benchmarks.held_out --out FILE [--corpus FILE] [--count N] [--seed N] [--before N] [--after N]

The same corpus and arguments give the same file. `benchmarks/data/held-out.jsonl.gz` was made with
`--count 60 --before 6000 --after 2000`; the numbers in the model card come from 500 of each kind with all
of their context.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_runtime.training import calibrate, corpus, held_out
from model_runtime.training.__main__ import CORPUS, default_folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=default_folder() / CORPUS)
    parser.add_argument("--count", type=int, default=500, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--before", type=int, default=24_000, help="most characters before the hole")
    parser.add_argument("--after", type=int, default=24_000)
    options = parser.parse_args()
    if not options.corpus.exists():
        print(f"{options.corpus} is missing; `python -m model_runtime.training` makes it", file=sys.stderr)
        return 1
    _, test = calibrate.split(corpus.load(options.corpus)[1])
    holes = held_out.holes(test, options.count, options.seed, options.before, options.after)
    print(f"{held_out.write(options.out, holes)} holes, {options.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
