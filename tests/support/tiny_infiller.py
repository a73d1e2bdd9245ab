"""Checkpoint folders like those of the open masked-diffusion infillers, but tiny and random: the same files,
special tokens at the same ids, as many rows in the table of tokens, remote code named in config.json.

The tokenizer has a few hundred of the ids below the special ones; the others have no token.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from model_runtime.prompting.infillers import Infiller

from . import tiny

ROWS = 151_936
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}


@functools.cache
def model(backbone: str = "qwen2", rows: int = ROWS, *, tied: bool = False) -> Any:
    kinds = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}
    config_class, model_class = kinds[backbone]
    torch.manual_seed(0)
    made: Any = model_class(
        config_class(
            **SIZES, vocab_size=rows, tie_word_embeddings=tied, attn_implementation="sdpa", rope_theta=1e4
        )
    )
    for parameter in made.parameters():  # the stock ones are so small that logits hardly differ
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def write(folder: Path, record: Infiller, *, tied: bool = False, **config: Any) -> Path:
    """Sharded safetensors, and the tokenizer in parts."""
    folder.mkdir(parents=True, exist_ok=True)
    model(record.backbone, tied=tied).save_pretrained(folder, max_shard_size="6MB")
    said = json.loads((folder / "config.json").read_bytes())
    said |= {"model_type": record.model_type, "auto_map": {"AutoModel": "modeling_dream.DreamModel"}}
    if record.model_type == "Dream":
        said["mask_token_id"] = record.marks.mask
    (folder / "config.json").write_text(json.dumps(said | config))
    (folder / "modeling_dream.py").write_text("raise RuntimeError('remote code was run')\n")
    learnt = json.loads(tiny.tokenizer().to_str())["model"]
    special = {token["content"] for token in json.loads(tiny.tokenizer().to_str())["added_tokens"]}
    ids = {token: number for token, number in learnt["vocab"].items() if token not in special}
    (folder / "vocab.json").write_text(json.dumps(ids))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in learnt["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    added = {name: number for number, name in record.names.items()}
    mask = record.names[record.marks.mask]
    (folder / "added_tokens.json").write_text(json.dumps({mask: added.pop(mask)}))
    decoder = {str(number): {"content": name, "special": True} for name, number in added.items()}
    told = {"added_tokens_decoder": decoder, "tokenizer_class": "DreamTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return folder
