"""A checkpoint as others load it: a folder for transformers (`hf`), or for vLLM (`vllm`), which wants more.

Weights are written unpacked, with an adapter merged where one is named; files of the source that others can
read as they are, are copied. What vLLM 0.32 reads and this project's folders lack: weights in floating point,
`vision_config.default_output_length` (`models/gemma4_mm.py`), `stability_threshold` in generation_config.json
(`models/diffusion_gemma.py`), and a tokenizer_config.json.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import adapters, checkpoint, merging
from model_runtime.loading.checkpoint import Checkpoint
from model_runtime.prompting import profiles
from model_runtime.retrieval import reranker

Form = Literal["vllm", "hf"]
FORMS: tuple[Form, ...] = ("vllm", "hf")
IMAGE_TOKENS = 70  # soft tokens of an image where a checkpoint does not say; Gemma 4's smallest
# What goes along where it is there. `infill.json` says with which token an adapter taught to end a hole.
COPIED = (
    "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja",
    "processor_config.json", "preprocessor_config.json", "special_tokens_map.json", reranker.FILE,
    reranker.DENOISED_FILE, adapters.OWN_FILE,
)  # fmt: skip


def export(model: str, adapter: str, form: Form, out: Path) -> None:
    """`out` is made, or empty. Raises ModelError, and leaves nothing behind then."""
    source = checkpoint.examine(checkpoint.find(model), model)
    if source.quantized:
        raise ModelError(f"{model} comes quantised ({source.quantized}); name it to the server as it is")
    merged = Path(adapter).expanduser() if adapter else None
    if merged:
        adapters.check(merged)
    new = not out.exists()
    try:
        if not new and (not out.is_dir() or any(out.iterdir())):
            raise ModelError(f"{out} is there already; name an empty folder or a new one")
        out.mkdir(parents=True, exist_ok=True)
        try:
            _write(source, merged, form, out)
        except BaseException:
            _empty(out, gone=new)
            raise
    except OSError as error:
        raise ModelError(f"{out} cannot be written ({error.strerror}); name another folder") from None


def _write(source: Checkpoint, adapter: Path | None, form: Form, out: Path) -> None:
    for folder in (source.folder, *([adapter] if adapter else [])):
        for name in COPIED:
            if (folder / name).is_file() and not (folder == adapter and name != adapters.OWN_FILE):
                shutil.copyfile(folder / name, out / name)
    if adapter or source.packed:
        weights = merging.weights(source, adapter)
        save_file(dict(weights), out / checkpoint.WHOLE_FILE, metadata={"format": "pt"})
        (out / checkpoint.WHOLE_FILE).chmod(0o644)
    else:
        for path in [*source.files, source.folder / checkpoint.INDEX_FILE]:
            if path.is_file():
                shutil.copyfile(path, out / path.name)
    _json(out / "config.json", _config(source.config, form))
    _json(out / "generation_config.json", _generation(source, form))
    if not (out / "tokenizer_config.json").is_file():
        _json(out / "tokenizer_config.json", _tokenizer(source))


def _config(given: Mapping[str, Any], form: Form) -> dict[str, Any]:
    config = {**given, "architectures": ["DiffusionGemmaForBlockDiffusion"]}
    if form == "vllm" and (vision := config.get("vision_config")) is not None:
        config["vision_config"] = {"default_output_length": IMAGE_TOKENS, **vision}
    return config


def _generation(source: Checkpoint, form: Form) -> dict[str, Any]:
    """The released sampler's values where the checkpoint has none. vLLM takes no value for granted."""
    text = source.config.get("text_config") or {}
    ends = {name: text[name] for name in ("bos_token_id", "pad_token_id", "eos_token_id") if name in text}
    sampler = {"_cls_name": "EntropyBoundSamplerConfig", "entropy_bound": profiles.ENTROPY_BOUND}
    stock = {**profiles.STOCK, "sampler_config": sampler}
    given = {name: value for name, value in source.generation.items() if value is not None}
    return {**ends, **stock, **({"stability_threshold": 1} if form == "vllm" else {}), **given}


def _tokenizer(source: Checkpoint) -> dict[str, Any]:
    added = json.loads((source.folder / "tokenizer.json").read_bytes()).get("added_tokens") or []
    names = {token["id"]: token["content"] for token in added}
    text = source.config.get("text_config") or {}
    marks = {f"{mark}_token": names.get(text.get(f"{mark}_token_id")) for mark in ("bos", "eos", "pad")}
    marks = {mark: name for mark, name in marks.items() if name}
    return {"tokenizer_class": "PreTrainedTokenizerFast", **marks}


def _json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _empty(folder: Path, *, gone: bool) -> None:
    """What a failed export has written is no use to anybody."""
    for path in folder.iterdir():
        path.unlink()
    if gone:
        folder.rmdir()
