"""`python -m model_runtime.models list|download ID|export FOLDER`, behind `infill-ls models`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_runtime.diffusion.faults import LOCAL, ModelError, lacking
from model_runtime.models import download, listing


def main() -> int:
    parser = argparse.ArgumentParser(prog="infill-ls models", description="Known checkpoints.")
    actions = parser.add_subparsers(dest="action", required=True)
    shown = actions.add_parser("list", help="known checkpoints, and what is in the cache")
    shown.add_argument("--json", action="store_true")
    fetched = actions.add_parser("download", help="fetch one into the cache")
    fetched.add_argument("id")
    written = actions.add_parser("export", help="write one as vLLM or transformers loads it")
    written.add_argument("folder", type=Path)
    written.add_argument("--for", dest="form", required=True, choices=("vllm", "hf"))
    written.add_argument("--model", default="embedded")
    written.add_argument("--adapter", default="")
    args = parser.parse_args()
    if args.action == "list":
        found = listing.rows()
        print(listing.as_json(found) if args.json else listing.table(found))
        return 0
    try:
        return _download(args.id) if args.action == "download" else _export(args)
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
    count = len(offer.sizes)
    files = f"{count} file{'s' * (count != 1)}"
    say(f"{offer.id}: {files}, {offer.total / 1e9:.2f} GB, licence {offer.licence}")
    folder = download.fetch(offer)
    large = sum(offer.sizes[name] for name in offer.sums)
    with tqdm(total=large, unit="B", unit_scale=True, desc="checking", disable=None) as bar:
        download.check(offer, folder, bar.update)
    print(folder)
    say(f"ready: set infill.model to {offer.id}")
    return 0


def _export(args: argparse.Namespace) -> int:
    if problem := lacking("writing a checkpoint", *LOCAL):
        raise ModelError(problem)
    from model_runtime.models import export  # only here: it loads torch

    folder = args.folder.expanduser().absolute()
    export.export(args.model, args.adapter, args.form, folder)
    print(folder)
    if args.form == "vllm":
        print(f"serve it: vllm serve {folder} --served-model-name {args.model}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
