"""A checkpoint of the training loop -> the model folder that ships: config, bf16 safetensors,
tokenizer, training record. The model card is written beside it by `card`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from model_runtime.training.geometry import fresh_model


def export(run: Path, checkpoint: Path, tokenizer: Tokenizer, out: Path) -> None:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    plan = state["plan"]
    model: Any = fresh_model(plan["size"], plan["vocab_size"], plan["seed"])
    model.load_state_dict(state["average"])
    model.set_experts_implementation("eager")
    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "training.json").write_text(json.dumps({**plan, **state["progress"]}, indent=1) + "\n")
