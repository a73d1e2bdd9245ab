"""`python -m model_runtime.training`: corpus, tokenizer, causal training, canvas training, export.

What a stage makes is kept in the run folder. A stage whose result is there is skipped, so the same command
resumes where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from model_runtime.network import threads

# Keep freed pages instead of returning them: page faults make a training step on a CPU five times slower.
_MALLOC = {
    "MALLOC_TOP_PAD_": "4000000000",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
}
threads.configure()
if __name__ == "__main__" and sys.platform == "linux" and "MALLOC_TOP_PAD_" not in os.environ:
    os.environ.update(_MALLOC)
    os.execv(sys.executable, [sys.executable, "-m", "model_runtime.training", *sys.argv[1:]])

import torch  # noqa: E402

from model_runtime.training import card, corpus, loader, loop, source  # noqa: E402
from model_runtime.training.geometry import SIZES  # noqa: E402
from model_runtime.training.loop import BRANCH, TRUNK  # noqa: E402
from model_runtime.training.plan import Plan  # noqa: E402
from model_runtime.training.token_file import TokenFile  # noqa: E402

CHECKED = 6  # held-out batches; canvases have each of their widths twice


def default_folder(objective: str = "infill") -> Path:
    import platformdirs  # not needed where a folder is named, as on a bare GPU machine

    name = "training" if objective == "infill" else f"training-{objective}"
    return Path(platformdirs.user_cache_dir("infill-ls")) / name


def setting(text: str) -> tuple[str, Any]:
    """A field of `Plan` and its value, as `--set` gives them."""
    name, _, value = text.partition("=")
    if name not in {field.name for field in fields(Plan)}:
        raise argparse.ArgumentTypeError(f"{name!r} is no setting of a run")
    return name, json.loads(value)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_runtime.training", description=__doc__)
    parser.add_argument("--folder", type=Path, help="run folder (default: in the user's cache folder)")
    parser.add_argument(
        "--objective",
        choices=("infill", "fim"),
        default="infill",
        help="fim: an autoregressive model of the same size that fills in the middle, to compare with",
    )
    parser.add_argument(
        "--data", type=Path, help="folder with the corpus and tokenizer to use (fim: default)"
    )
    parser.add_argument("--size", choices=SIZES, default="9m")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of this slice")
    parser.add_argument("--anneal", action="store_true", help="slice with falling rate, saved as a branch")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true", help="skip torch.compile")
    parser.add_argument("--threads", type=int, help="CPU threads; 1 where other work shares the cores")
    parser.add_argument(
        "--tokens", type=Path, help="packed corpus, from benchmarks.training_corpus, to learn from"
    )
    parser.add_argument("--loaders", type=int, default=0, help="processes that draw batches; 0: a thread")
    parser.add_argument(
        "--set", type=setting, action="append", metavar="NAME=VALUE", help="a field of `Plan` (new runs)"
    )
    parser.add_argument(
        "--begin-with",
        type=Path,
        metavar="MODEL",
        help="an exported model's weights to begin with (new runs)",
    )
    parser.add_argument("--rows", type=int, default=4, help="sequences a step (new runs)")
    parser.add_argument("--causal-steps", type=int, help="encoder-only steps before the joint ones")
    parser.add_argument("--site", type=Path, action="append", help="more site-packages folders to learn from")
    parser.add_argument("--stdlib", type=Path, action="append", help="standard library to learn from")
    parser.add_argument("--export", type=Path, help="write the model folder here, score it, and stop")
    parser.add_argument("--holes", type=int, default=100, help="of each kind, to calibrate and score with")
    parser.add_argument(
        "--test-holes",
        type=Path,
        nargs=2,
        metavar=("DEV", "TEST"),
        help="files of holes instead, from benchmarks/held_out.py: they know the projects' other files",
    )
    parser.add_argument("--hardware", default="a CPU", help="for the model card")
    own = parser.add_argument_group("an adapter for code of your own (needs infill-ls[lora])")
    own.add_argument(
        "--adapter", type=Path, help="learn one and write it to this folder; no other stage runs"
    )
    own.add_argument("--code", type=Path, help="the repository or folder to learn from")
    own.add_argument("--model", default="embedded", help="what it is for: embedded, an id or a folder")
    own.add_argument("--quantization", default="none", help="of the model while it learns: int8, int4")
    own.add_argument("--steps", type=int, help="no more steps than that, whatever --minutes says")
    own.add_argument("--rank", type=int, default=16, help="of the adapter's matrices")
    return parser


def main() -> None:
    parser = arguments()
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.adapter:
        from model_runtime.training import lora

        if not options.code:
            parser.error("--adapter needs --code, the folder to learn from")
        lora.learn(options)
        return
    fim = options.objective == "fim"
    options.folder = options.folder or default_folder(options.objective)
    options.folder.mkdir(parents=True, exist_ok=True)
    data = options.data or (
        default_folder() if fim else options.folder
    )  # both objectives learn from the same
    data.mkdir(parents=True, exist_ok=True)

    if options.tokens:
        opened = source.unpack(data, options.tokens)
    else:
        sites, stdlibs = corpus.default_roots()
        opened = source.prepare(data, sites + (options.site or []), options.stdlib or stdlibs)
    if options.export:
        write_model(options, opened)
        return
    trunk = options.folder / TRUNK
    vocabulary = opened.tokenizer.get_vocab_size()
    plan = Plan(options.size, vocabulary, rows=options.rows, objective=options.objective)
    if trunk.exists():
        plan = Plan(**torch.load(trunk, weights_only=True)["plan"])
        if plan.objective != options.objective:
            parser.error(
                f"{options.folder} holds a run with --objective {plan.objective}; name another --folder"
            )
    if options.causal_steps is not None:
        plan = replace(plan, causal_steps=options.causal_steps)
    plan = replace(plan, **dict(options.set or ()))
    train_slice(options, opened, plan)


def write_model(options: argparse.Namespace, opened: TokenFile) -> None:
    from model_runtime.training import calibrate, export, held_out

    branch = options.folder / (BRANCH if options.anneal else TRUNK)
    if options.objective == "fim":
        export.export_weights(branch, opened.tokenizer, options.export)
        return
    both = source.texts(opened)
    files, parts = options.test_holes or (None, None), calibrate.split(both[1])
    dev, test = (
        held_out.read(file) if file else list(held_out.holes(part, options.holes))
        for file, part in zip(files, parts, strict=True)
    )
    export.export(branch, opened.tokenizer, options.export, both, (dev, test), options.hardware)


def train_slice(options: argparse.Namespace, opened: TokenFile, plan: Plan) -> None:
    """Go on from the trunk, if there is one, for as long as the options say."""
    trainer = loop.Trainer(plan, options.folder, options.device, not options.no_compile)
    trunk = options.folder / TRUNK
    if trunk.exists():
        trainer.load(trunk)
        print("resuming:", json.dumps(vars(trainer.progress)))
    elif options.begin_with:
        trainer.begin_with(options.begin_with)
        card.begun_with(options.begin_with, options.folder)
    check = source.Drawing(opened.folder, plan, held_out=True)()
    held_out = [
        loader.to_device(check.draw(i, plan.rows, plan.canvases, plan.width_at(i)), trainer.device)
        for i in range(CHECKED)
    ]
    steps = loader.Steps(source.Drawing(opened.folder, plan), plan)
    drawn = loader.batches(steps, trainer.progress.step, trainer.device, options.loaders)
    loop.train(trainer, drawn, held_out, options.minutes, options.anneal)


if __name__ == "__main__":
    main()
