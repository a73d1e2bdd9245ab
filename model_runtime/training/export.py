"""Write the model folder that ships, from a checkpoint of the training loop.

First int8 weights, config and tokenizer; then the calibration, fitted on dev holes; then the model card with
scores on test holes. Every number in the card is measured on the exported weights.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from model_runtime.inference import engine
from model_runtime.loading import int8_file
from model_runtime.protocol import Choice
from model_runtime.retrieval import reranker
from model_runtime.training import calibrate, card, held_out, served
from model_runtime.training.calibrate import Outcome
from model_runtime.training.card import Share
from model_runtime.training.corpus import Document
from model_runtime.training.geometry import fresh_model
from model_runtime.training.held_out import HeldHole

ROOT = Path(__file__).resolve().parent.parent.parent  # holds our packages
HOLES, SCORES = "held-out.jsonl", "scores.json"  # in the run folder


def export_weights(checkpoint: Path, tokenizer: Tokenizer, out: Path, hardware: str = "a CPU") -> None:
    """Everything but calibration and card, with the run's record: plan, progress, parameters."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    plan = state["plan"]
    model: Any = fresh_model(plan["size"], plan["vocab_size"], plan["seed"])
    model.load_state_dict(state[state.get("shipped", "average")])
    model.set_experts_implementation("eager")
    out.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(out)
    int8_file.save(model.state_dict(), out)
    tokenizer.save(str(out / "tokenizer.json"))
    record = {**plan, **state["progress"], "parameters": sum(p.numel() for p in model.parameters())}
    record |= {"hardware": hardware}
    if (before := checkpoint.with_name(card.BEFORE + card.RECORD)).exists():
        record["began_with"] = json.loads(before.read_text(encoding="utf-8"))
    (out / card.RECORD).write_text(json.dumps(record, indent=1) + "\n")


def shares(learned: Sequence[Document], run: Path) -> list[Share]:
    """What there is of each project, and what the model that the run began with had seen of it."""
    sizes = Counter[tuple[str, str]]()
    for document in learned:
        sizes[document.project, document.licence] += len(document.text)
    noted = run / (card.BEFORE + card.CORPUS)
    before = {each.project: each for each in card.read_corpus(noted)} if noted.exists() else {}
    found = [
        Share(project, licence, size, before.pop(project).characters if project in before else 0)
        for (project, licence), size in sizes.items()
    ]
    return found + [Share(each.project, each.licence, 0, each.characters) for each in before.values()]


def export(
    checkpoint: Path,
    tokenizer: Tokenizer,
    out: Path,
    corpus: tuple[Sequence[Document], Sequence[Document]],
    holes: tuple[Sequence[HeldHole], Sequence[HeldHole]],
    hardware: str,
    only: Sequence[str] = (),
) -> None:
    """`corpus`: (training, held-out); `holes`: (to calibrate on, to score on); `only`: contenders, or all."""
    export_weights(checkpoint, tokenizer, out, hardware)
    learned, _ = corpus
    fitted, scored = holes
    loaded = engine.load_engine(Choice(model=str(out), device="cpu"))
    print(f"calibrating on {len(fitted)} holes")
    loaded.calibration = calibrate.fit(loaded, fitted)
    calibrate.save(loaded.calibration, out)
    calibrate.save(calibrate.fit(served.engine(loaded), fitted), out, reranker.DENOISED_FILE)
    print(f"scoring on {len(scored)} holes", flush=True)
    held_out.write(checkpoint.parent / HOLES, scored)
    found = evaluated(out, checkpoint.parent / HOLES, checkpoint.parent / SCORES, only)
    outcomes = [Outcome(confidence, right) for confidence, right in found["claims"]]
    if outcomes:
        calibrate.plot(outcomes, out / card.RELIABILITY)
    card.save_corpus(out, shares(learned, checkpoint.parent))
    card.write(out, [found])


def evaluated(model: Path, holes: Path, scores: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON of `infill-ls eval` for the model. It runs as a process: it uses the server's pipeline, which
    nothing in this package may import."""
    command = [sys.executable, "-P", "-m", "evaluation", str(holes.absolute()), f"--model={model.absolute()}"]
    command += [f"--json={scores.absolute()}", "--device=cpu", *(f"--only={name}" for name in only)]
    environment = dict(os.environ)
    if str(ROOT) not in site.getsitepackages():  # a checkout, which the child may not find by itself
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return json.loads(scores.read_bytes())
