"""`python -m model_runtime.models list|download ID`, behind `infill-ls models`."""

from __future__ import annotations

import argparse
import sys

from model_runtime.diffusion.faults import ModelError
from model_runtime.models import download, listing


def main() -> int:
    parser = argparse.ArgumentParser(prog="infill-ls models", description="Known checkpoints.")
    actions = parser.add_subparsers(dest="action", required=True)
    shown = actions.add_parser("list", help="known checkpoints, and what is in the cache")
    shown.add_argument("--json", action="store_true")
    fetched = actions.add_parser("download", help="fetch one into the cache")
    fetched.add_argument("id")
    args = parser.parse_args()
    if args.action == "list":
        found = listing.rows()
        print(listing.as_json(found) if args.json else listing.table(found))
        return 0
    try:
        return _download(args.id)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where this one did", file=sys.stderr)
        return 130


def _download(id: str) -> int:
    from tqdm import tqdm

    if id == "embedded":
        print("the embedded model comes with the package", file=sys.stderr)
        return 0
    offer = download.look(id)
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    say(f"{offer.id}: {len(offer.sizes)} files, {offer.total / 1e9:.2f} GB, licence {offer.licence}")
    folder = download.fetch(offer)
    large = sum(offer.sizes[name] for name in offer.sums)
    with tqdm(total=large, unit="B", unit_scale=True, desc="checking", disable=None) as bar:
        download.check(offer, folder, bar.update)
    print(folder)
    say(f"ready: set infill.model to {offer.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
