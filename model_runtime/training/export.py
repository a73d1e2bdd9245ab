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
from model_runtime.training import calibrate, held_out, served
from model_runtime.training.calibrate import Outcome
from model_runtime.training.corpus import Document
from model_runtime.training.geometry import fresh_model
from model_runtime.training.held_out import HeldHole

ROOT = Path(__file__).resolve().parent.parent.parent  # holds our packages
HOLES, SCORES = "held-out.jsonl", "scores.json"  # in the run folder


def export_weights(checkpoint: Path, tokenizer: Tokenizer, out: Path) -> dict[str, Any]:
    """Everything but calibration and card. Returns the run's record: plan, progress, parameters."""
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
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


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
    record = export_weights(checkpoint, tokenizer, out)
    learned, unseen = corpus
    _, test = calibrate.split(unseen)
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
        calibrate.plot(outcomes, out / "reliability.png")
    (out / "README.md").write_text(card(record, learned, test, found, outcomes, hardware))


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


def card(
    record: dict[str, Any],
    learned: Sequence[Document],
    test: Sequence[Document],
    scores: dict[str, Any],
    found: Sequence[Outcome],
    hardware: str,
) -> str:
    level = calibrate.threshold(found)
    shown = [o for o in found if o.confidence >= level]
    right = sum(o.right for o in shown) / max(1, len(shown))
    share = len(shown) / max(1, len(found))
    size, vocabulary = record["size"], record["vocab_size"]
    millions = {k: record[k] / 1e6 for k in ("parameters", "causal_tokens", "canvas_tokens")}
    characters = sum(len(d.text) for d in learned) / 1e6
    projects = ", ".join(sorted({d.project for d in test}))
    dev_projects = ", ".join(sorted(calibrate.DEV))
    return f"""# The embedded model

A `DiffusionGemmaForBlockDiffusion` of {millions["parameters"]:.1f}M parameters (size "{size}" in
`model_runtime/training/geometry.py`) with its own byte-level BPE tokenizer of {vocabulary} tokens,
made from nothing by `model_runtime/training`. Stored as int8, computed in fp32. Apache-2.0, like the rest
of the repository. It fills short holes in Python; it knows no other language and follows no instructions.

## What it saw

{record["step"]} steps: {millions["causal_tokens"]:.1f}M tokens through the causal encoder (the first
{record["causal_steps"]} steps trained it alone) and {millions["canvas_tokens"]:.1f}M canvas tokens through
the denoiser, in {record["seconds"] / 3600:.1f} hours on {hardware}.
Command: `python -m model_runtime.training --minutes M`, repeated, then `--export model_runtime/embedded`.

{characters:.0f}M characters of Python that were on the machine, under permissive licences:

{_sources(learned)}

Held out whole, and never trained on: {projects}, {dev_projects}. Files that repeat lines of held-out
files were dropped, as were files that mention HumanEval or MBPP.

## How good it is

Holes cut from held-out projects ({projects}), the calibration being fitted on others ({dev_projects}). Every
answer went through the server's pipeline, as an automatic request where its rules allow one, with what an
editor's server had read of the project's other files; "as shipped"
came from the real worker. Shares have their 95% interval. "Shown" is from a confidence of
{scores["threshold"]} on. "Copy" takes the continuation of the most similar text in the buffer, without a
model; the denoiser alone has no drafts. Times are warm (the text before the hole is encoded) and include the
server's part. Made by `infill-ls eval {scores["data"][0]}`.

{scores["table"]}

Confidence is calibrated ([reliability.png](reliability.png)). At a threshold of {level:.2f}, {share:.0%} of
the answers would be shown, and {right:.0%} of those are exactly right.
"""


def _sources(documents: Sequence[Document]) -> str:
    sizes = Counter[tuple[str, str]]()
    for d in documents:
        sizes[d.project, d.licence] += len(d.text)
    rows = ["| project | licence as stated | M characters |", "|---|---|---|"]
    rows += [
        f"| {name} | {licence.replace('|', '/')} | {size / 1e6:.2f} |"
        for (name, licence), size in sizes.most_common()
    ]
    return "\n".join(rows)
