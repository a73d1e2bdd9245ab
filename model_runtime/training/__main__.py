"""`python -m model_runtime.training`: corpus, tokenizer, causal training, canvas training, export.

What a stage makes is kept in the run folder. A stage whose result is there is skipped, so the same command
resumes where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path

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
from tokenizers import Tokenizer  # noqa: E402

from model_runtime.training import corpus, loop  # noqa: E402
from model_runtime.training.batches import BatchMaker, TokenizedDocument, tokenize  # noqa: E402
from model_runtime.training.fim import FimMaker  # noqa: E402
from model_runtime.training.geometry import SIZES  # noqa: E402
from model_runtime.training.loop import BRANCH, TRUNK  # noqa: E402
from model_runtime.training.vocabulary import train_tokenizer  # noqa: E402

CORPUS = "corpus.jsonl"
VOCABULARY = 6144
TOKENIZER_SAMPLE = 3000  # documents


def default_folder(objective: str = "infill") -> Path:
    import platformdirs  # not needed where a folder is named, as on a bare GPU machine

    name = "training" if objective == "infill" else f"training-{objective}"
    return Path(platformdirs.user_cache_dir("infill-ls")) / name


class Ids:
    """A `batches.Encoder`: text to ids, without added tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids


def prepare(folder: Path, sites: list[Path], stdlibs: list[Path]) -> None:
    """Write the corpus and tokenizer.json unless they are there."""
    if not (folder / CORPUS).exists():
        train, unseen = corpus.collect(corpus.projects(sites, stdlibs))
        corpus.save(folder / CORPUS, train, unseen)
        print(f"corpus: {len(train)} files to learn from, {len(unseen)} held out")
    if not (folder / "tokenizer.json").exists():
        train, _ = corpus.load(folder / CORPUS)
        sample = random.Random(0).sample(train, min(TOKENIZER_SAMPLE, len(train)))
        train_tokenizer([d.text for d in sample], VOCABULARY).save(str(folder / "tokenizer.json"))


def tokenized(documents: list[corpus.Document], tokenizer: Tokenizer) -> list[TokenizedDocument]:
    ids = Ids(tokenizer)
    return [tokenize(d.text, ids) for d in documents]


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

    sites, stdlibs = corpus.default_roots()
    prepare(data, sites + (options.site or []), options.stdlib or stdlibs)
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    if options.export:
        write_model(options, data, tokenizer)
        return
    trunk = options.folder / TRUNK
    plan = loop.Plan(options.size, tokenizer.get_vocab_size(), rows=options.rows, objective=options.objective)
    if trunk.exists():
        plan = loop.Plan(**torch.load(trunk, weights_only=True)["plan"])
        if plan.objective != options.objective:
            parser.error(
                f"{options.folder} holds a run with --objective {plan.objective}; name another --folder"
            )
    if options.causal_steps is not None:
        plan = replace(plan, causal_steps=options.causal_steps)
    train_slice(options, data, tokenizer, plan)


def write_model(options: argparse.Namespace, data: Path, tokenizer: Tokenizer) -> None:
    from model_runtime.training import calibrate, export, held_out

    branch = options.folder / (BRANCH if options.anneal else TRUNK)
    if options.objective == "fim":
        export.export_weights(branch, tokenizer, options.export)
        return
    both = corpus.load(data / CORPUS)
    files, parts = options.test_holes or (None, None), calibrate.split(both[1])
    dev, test = (
        held_out.read(file) if file else list(held_out.holes(part, options.holes))
        for file, part in zip(files, parts, strict=True)
    )
    export.export(branch, tokenizer, options.export, both, (dev, test), options.hardware)


def train_slice(options: argparse.Namespace, data: Path, tokenizer: Tokenizer, plan: loop.Plan) -> None:
    """Go on from the trunk, if there is one, for as long as the options say."""
    trainer = loop.Trainer(plan, options.folder, options.device, not options.no_compile)
    trunk = options.folder / TRUNK
    if trunk.exists():
        trainer.load(trunk)
        print("resuming:", json.dumps(vars(trainer.progress)))
    train, unseen = corpus.load(data / CORPUS)
    make = FimMaker if plan.objective == "fim" else BatchMaker
    maker = make(tokenized(train, tokenizer), Ids(tokenizer), plan.seed)
    check = make(tokenized(unseen, tokenizer), Ids(tokenizer), plan.seed + 1)
    batches = [
        loop.to_device(check.draw(i, plan.rows, plan.canvases, plan.width), trainer.device) for i in range(4)
    ]
    loop.train(trainer, maker, batches, options.minutes, options.anneal)


if __name__ == "__main__":
    main()
