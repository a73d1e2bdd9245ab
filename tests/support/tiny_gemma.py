"""A checkpoint folder like the released DiffusionGemma's, but tiny and random.

It has the same files: sharded safetensors, chat template, processor files, generation_config. It has the same
parts, a vision tower among them, and the same special ids, except that those of images lie at the end of a
smaller vocabulary (46,080 instead of 262,144).
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaGenerationConfig,
    EntropyBoundSamplerConfig,
)

from . import tiny

VOCABULARY = 46_080
BOI, IMAGE, EOI = 46_001, 46_002, 46_003
SPECIAL = {
    "<pad>": 0,
    "<eos>": 1,
    "<bos>": 2,
    "<unk>": 3,
    "<mask>": 4,
    "<|tool_response>": 50,
    "<|think|>": 98,
    "<|channel>": 100,
    "<channel|>": 101,
    "<|turn>": 105,
    "<turn|>": 106,
    "<|image>": BOI,
    "<|image|>": IMAGE,
    "<image|>": EOI,
}
NEWLINE, THOUGHT = 107, 45_518
EMPTY_THOUGHT = [100, THOUGHT, NEWLINE, 101]
CANVAS = 48

# Written for the tests: does what the released template does, but is not a copy of it.
TEMPLATE = """\
{{- bos_token -}}
{%- if enable_thinking | default(false) -%}{{- '<|turn>system\\n<|think|>\\n<turn|>\\n' -}}{%- endif -%}
{%- for message in messages -%}
{{- '<|turn>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}{{- message['content'] | trim -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}{{- part['text'] | trim -}}
{%- elif part['type'] == 'image' -%}{{- '\\n\\n<|image|>\\n\\n' -}}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<turn|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|turn>model\\n' -}}
{%- if not enable_thinking | default(false) -%}{{- '<|channel>thought\\n<channel|>' -}}{%- endif -%}
{%- endif -%}
"""


@functools.cache
def tokenizer() -> Tokenizer:
    """BPE with byte fallback and `▁` for blanks, like Gemma's, learnt from one file."""
    learnt = json.loads(tiny.tokenizer().to_str())["model"]["merges"]
    ids: dict[str, int] = dict(SPECIAL)
    taken = set(ids.values()) | {NEWLINE, THOUGHT}
    free = iter(i for i in range(5, VOCABULARY) if i not in taken)
    for byte in range(256):
        ids[f"<0x{byte:02X}>"] = next(free)
    ids["\n"] = NEWLINE
    for character in [chr(c) for c in range(33, 127)] + ["▁"]:
        ids.setdefault(character, next(free))
    merges = []
    for pair in learnt:
        left, right = (
            part.replace("Ġ", "▁") for part in (pair.split(" ") if isinstance(pair, str) else pair)
        )
        if left in ids and right in ids:
            ids.setdefault(left + right, next(free))
            merges.append((left, right))
    for n in range(1, 7):  # t + h, th + o, ... up to the word that has a fixed id
        left, right = "thought"[:n], "thought"[n]
        if left + right not in ids:
            ids[left + right] = THOUGHT if n == 6 else next(free)
        merges.append((left, right))
    ids |= {f"▁unused{i}": i for i in sorted(set(range(VOCABULARY)) - set(ids.values()))}
    made = Tokenizer(
        models.BPE(vocab=ids, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split("\n", "isolated")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    return made


def config(layers: int = 2) -> DiffusionGemmaConfig:
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "num_global_key_value_heads": 1,
        "head_dim": 32,  # a CPU's vLLM knows 32, 64, ...
        "global_head_dim": 64,
        "max_position_embeddings": 131_072,
        "sliding_window": 64,
        "layer_types": ["sliding_attention"] * (layers - 1) + ["full_attention"],
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 32,
        "use_bidirectional_attention": "vision",
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "global_head_dim": 8,
        "patch_size": 4,
        "position_embedding_size": 256,
        "pooling_kernel_size": 3,
        "default_output_length": 70,
    }
    return DiffusionGemmaConfig(
        text_config=text,
        vision_config=vision,
        canvas_length=CANVAS,
        boi_token_id=BOI,
        eoi_token_id=EOI,
        image_token_id=IMAGE,
    )


@functools.cache
def model() -> DiffusionGemmaForBlockDiffusion:
    torch.manual_seed(0)
    made = DiffusionGemmaForBlockDiffusion(config())
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                parameter.fill_(32**-0.25)
    made.generation_config = DiffusionGemmaGenerationConfig(
        max_new_tokens=CANVAS,
        max_denoising_steps=4,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=0.1),
        t_min=0.4,
        t_max=0.8,
        confidence_threshold=0.005,
        stability_threshold=1,
        bos_token_id=2,
        pad_token_id=0,
        eos_token_id=[1, 106, 50],
    )
    return made.eval()


def write(folder: Path, *, shard: str = "2MB", ending: float = 0.0, steps: int = 4) -> Path:
    """Write the files of a release. `steps`: the largest number of denoise steps.

    `ending`: factor on the embedding of the token that ends an answer. The weights being random, at 1.8 an
    answer ends after some canvases, at 3 in the first one, at 0 (no factor) hardly ever."""
    folder.mkdir(parents=True, exist_ok=True)
    made = copy.deepcopy(model()) if ending else model()
    if ending:
        with torch.no_grad():
            made.model.decoder.embed_tokens.weight[106] *= ending
    made.save_pretrained(folder, max_shard_size=shard)
    sampler = folder / "generation_config.json"
    sampler.write_text(json.dumps(json.loads(sampler.read_bytes()) | {"max_denoising_steps": steps}))
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    names = {"bos": "<bos>", "eos": "<eos>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    told = {
        "tokenizer_class": "GemmaTokenizer",
        **{f"{name}_token": token for name, token in names.items()},
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "image_token": "<|image|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    images = {
        "image_processor_type": "Gemma4ImageProcessor",
        "patch_size": 4,
        "max_soft_tokens": 70,
        "pooling_kernel_size": 3,
    }
    processor = {"processor_class": "Gemma4Processor", "image_seq_length": 70, "image_processor": images}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    return folder
