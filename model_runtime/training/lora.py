"""A LoRA adapter (arXiv 2106.09685) for one's own code: the model's weights stay, small matrices learn.

The examples are the holes of `adapter_batches`, the loss is the embedded model's. Loss and exact matches on
files that were not learnt from are reported before and after.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import nn

from model_runtime.diffusion.faults import ModelError, Unfillable, lacking
from model_runtime.inference.engine import Engine
from model_runtime.loading import adapters
from model_runtime.loading.model import load
from model_runtime.loading.prompt_setup import Prompting
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache
from model_runtime.prompting import profiles
from model_runtime.prompting.chat_prompt import Chat
from model_runtime.prompting.layout import Tokens
from model_runtime.protocol import Choice
from model_runtime.retrieval import reranker
from model_runtime.training import calibrate, held_out, own_code
from model_runtime.training.adapter_batches import hole_batches
from model_runtime.training.batches import Batch
from model_runtime.training.corpus import Document
from model_runtime.training.holes import CUTTERS, cut_hole
from model_runtime.training.objective import Objective
from model_runtime.training.vocabulary import PAD

# Attention and dense layers of both sides; the experts, most of a large model, stay as they are.
TARGETS = (
    r".*(encoder\.language_model|decoder)\.layers\.\d+\."
    r"(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
)
GROUP = 2  # batches a step
RATE = 2e-3
WARM_UP = 10  # steps
CHAT_FILLER = "<mask>"  # a token of Gemma's that nothing else uses
CHECKED = 12  # held-out batches for the loss
UNUSED = -1  # as padding: a chat's rows have none


@dataclass(frozen=True)
class Score:
    loss: float  # nats a token of a hole, fixed noise
    exact: float  # share of holes whose text the denoiser alone writes exactly, all kinds
    holes: int


def learn(options: argparse.Namespace) -> None:
    """The command. Raises SystemExit with one line where it cannot be done."""
    if problem := lacking("an adapter", "peft"):
        sys.exit(problem)
    from peft import LoraConfig, get_peft_model

    only = {".py"} if options.model == "embedded" else None
    train, test = own_code.documents(options.code, only)
    if not train or not test:
        sys.exit(f"{options.code} has {len(train) + len(test)} files to learn from; name a larger folder")
    try:
        choice = Choice(model=options.model, device=options.device, quantization=options.quantization)
        loaded = load(choice, stock=True)
    except ModelError as error:
        sys.exit(str(error))
    prompting = with_filler(loaded.prompting)
    model = loaded.denoiser.model.requires_grad_(False)
    examples = hole_batches(prompting, train, seed=0)
    checks = list(islice(hole_batches(prompting, test, seed=1), CHECKED))
    print(f"{len(train)} files to learn from, {len(test)} held out", flush=True)
    before = score(model, prompting, checks, test, options.holes)
    print(report("before", before), flush=True)

    config = LoraConfig(r=options.rank, lora_alpha=2 * options.rank, target_modules=TARGETS)
    adapted: Any = get_peft_model(model, config)
    share(adapted)
    train_adapter(model, prompting, examples, options.minutes, options.steps)
    after = score(model, prompting, checks, test, options.holes)
    print(report("after", after), flush=True)
    adapted.peft_config["default"].base_model_name_or_path = options.model
    # To save embedding layers, peft would look for the base's configuration on the hub.
    adapted.save_pretrained(str(options.adapter), safe_serialization=True, save_embedding_layers=False)
    facts = {"filler": prompting.tokens.profile.filler, "before": vars(before), "after": vars(after)}
    (options.adapter / adapters.OWN_FILE).write_text(json.dumps(facts, indent=1) + "\n")
    print(f"set infill.adapter to {options.adapter.absolute()}")


def with_filler(prompting: Prompting) -> Prompting:
    """With a filler token to end holes with. A model without one is about to learn it."""
    if prompting.tokens.profile.filler is not None:
        return prompting
    filler = prompting.tokens.tokenizer.token_to_id(CHAT_FILLER)
    if filler is None:
        sys.exit(f"the tokenizer has no {CHAT_FILLER} to end a hole with: it is not DiffusionGemma's")
    profile = profiles.with_filler(prompting.tokens.profile, filler)
    tokens = Tokens(prompting.tokens.tokenizer, profile)
    chat = prompting.chat
    return Prompting(tokens, Chat(tokens, chat.dialogue) if chat else None)


def share(adapted: Any) -> None:
    """Encoder and decoder learn the same matrices, as they share the weights that these are added to: merged,
    it
    is one model again, which a file and a vLLM server can hold."""
    modules = dict(adapted.named_modules())
    for name, module in modules.items():
        if ".decoder." in name and name.endswith((".lora_A", ".lora_B")):
            modules[name.replace(".decoder.", ".encoder.language_model.")]["default"] = module["default"]


def train_adapter(
    model: Any, prompting: Prompting, batches: Iterator[Batch], minutes: float, steps: int | None
) -> None:
    """Until the time is over or that many steps are done. The rate rises, then falls to zero."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)
    objective = _objective(model, prompting)
    device = parameters[0].device
    generator = torch.Generator(device=device).manual_seed(0)
    begun, step, shown = time.monotonic(), 0, 0.0
    model.train()
    while (done := max((time.monotonic() - begun) / (minutes * 60), step / (steps or math.inf))) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * (1 - done)
        total = 0.0
        for _ in range(GROUP):
            loss = _loss(objective, next(batches), device, generator, condition=step % 2 == 1)
            (loss / GROUP).backward()
            total += loss.item() / GROUP
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if done - shown > 0.1:
            shown = done
            print(f"{done:4.0%}  {step * GROUP} batches, loss {total:.3f}", flush=True)
    model.eval()


def score(
    model: Any, prompting: Prompting, checks: Sequence[Batch], documents: Sequence[Document], holes: int
) -> Score:
    """On held-out files: the loss, and exact matches of the denoiser without retrieved drafts."""
    objective = _objective(model, prompting)
    device = model.get_input_embeddings().weight.device
    total = 0.0
    with torch.no_grad():
        for number, batch in enumerate(checks):
            noise = torch.Generator(device=device).manual_seed(number)
            total += _loss(objective, batch, device, noise, condition=False).item() / len(checks)
    profile = replace(prompting.tokens.profile, drafts=0, composed=0)
    tokens = Tokens(prompting.tokens.tokenizer, profile)
    chat = prompting.chat
    denoiser = LocalDenoiser(model, profile, NoCache())
    engine = Engine(
        "", denoiser, tokens, reranker.UNCALIBRATED, Chat(tokens, chat.dialogue) if chat else None
    )
    right = count = 0
    for hole in _holes(documents, holes):
        try:
            found = engine.run(calibrate.request(hole)).texts[0]
        except Unfillable:
            found = ""
        right += found.strip() == hole.middle.strip()
        count += 1
    return Score(round(total, 4), round(right / max(1, count), 4), count)


def _holes(documents: Sequence[Document], count: int) -> Iterator[held_out.HeldHole]:
    """`count` of each kind, the same each time. Nothing is parsed: the files may be of any language."""
    for kind in CUTTERS:
        rng, found = random.Random(kind), 0
        while found < count:
            document = rng.choice(documents)
            text = document.text.removesuffix("\n")
            lines = text.split("\n")
            cut = cut_hole(lines, rng.randrange(len(lines)), rng, kind)
            if cut and len(cut.middle) < held_out.LONGEST:
                yield held_out.whole(document, text, cut)
                found += 1


def report(when: str, found: Score) -> str:
    return f"{when}: loss {found.loss:.3f}, {found.exact:.1%} of {found.holes} held-out holes exactly right"


def _objective(model: Any, prompting: Prompting) -> Objective:
    first = prompting.tokens.profile.first_text_id
    return Objective(model, pad=UNUSED if prompting.chat else PAD, first=first)


def _loss(
    objective: Objective, batch: Batch, device: torch.device, generator: torch.Generator, *, condition: bool
) -> torch.Tensor:
    tensors = {name: value.to(device) for name, value in vars(batch).items() if hasattr(value, "to")}
    moved = replace(batch, **tensors)
    # On a CPU the weights are fp32, and so are the steps: bf16 took seven times as long (EPYC, AVX-512).
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
        if objective.pad == UNUSED or not torch.is_grad_enabled():
            _, kv = objective.prefix(moved)  # the user's text is not to be learnt
            return objective.canvas_loss(moved, kv, generator, condition)
        causal, kv = objective.causal_loss(moved)
        return causal + objective.canvas_loss(moved, kv, generator, condition)
