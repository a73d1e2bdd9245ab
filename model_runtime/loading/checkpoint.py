"""A model's files: where they are, whether they are whole, how much they hold. Read without torch.

A folder, or a Hugging Face id whose files `infill-ls models download` has put into that library's cache.
Nothing here opens a connection.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_runtime.diffusion.faults import ModelError
from model_runtime.network.memory_budget import Keys, Weights

EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "embedded"
PACKED_FILE, WHOLE_FILE = "model.int8.safetensors", "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MODEL_TYPE = "diffusion_gemma"
INFILLER_TYPES = frozenset({"Dream", "qwen2", "a2d-qwen2"})  # of `prompting/infillers`, which loads torch
# Files of a repository that are neither fetched nor needed: code, pickles, which may run some, and what is
# for other programs.
IGNORED = [
    *("*.py", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl"),
    *("*.gguf", "*.onnx", "*.h5", "*.msgpack", "original/*"),
]
MAX_HEADER = 100_000_000  # bytes; what the safetensors library accepts
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_ELEMENT_BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "F4": 4}  # others: 8


@dataclass(frozen=True)
class Checkpoint:
    """A folder that is whole as far as sizes and names can tell."""

    folder: Path
    config: dict[str, Any]
    generation: dict[str, Any]
    files: tuple[Path, ...] = ()  # of weights
    packed: bool = False  # as this project ships its own: int8, one scale a row

    @property
    def quantized(self) -> str:
        """How its weights come quantised, if they do."""
        return (self.config.get("quantization_config") or {}).get("quant_method", "")

    @property
    def vocabulary(self) -> int:
        """Rows of the table of tokens. A tokenizer may know fewer ids."""
        return self._text.get("vocab_size", 262_144)

    @property
    def keys(self) -> Keys:
        shapes = {name: tuple(tensor["shape"]) for name, tensor in self._tensors()}
        return Keys.of(shapes, self._text)

    @property
    def infiller(self) -> bool:
        """It is a masked-diffusion model."""
        return self.config.get("model_type") in INFILLER_TYPES

    @property
    def _text(self) -> dict[str, Any]:
        """The configuration of the text model: a file of its own layers has no other."""
        return self.config if self.infiller else self.config.get("text_config") or {}

    def weights(self) -> Weights:
        shapes: dict[str, tuple[int, ...]] = {}
        fixed = 0
        for name, tensor in self._tensors():
            shape = tuple(tensor["shape"])
            if self.quantized and _ELEMENT_BITS.get(tensor["dtype"], 8) <= 8:
                fixed += math.prod(shape) * _ELEMENT_BITS.get(tensor["dtype"], 8) // 8
            else:
                shapes[name] = shape
        if self.packed or self.quantized:  # it is not packed again
            return Weights((), sum(map(math.prod, shapes.values())), fixed)
        return Weights.of(shapes, fixed)

    def _tensors(self) -> Iterator[tuple[str, Any]]:
        for path in self.files:
            yield from header(path).items()


def is_id(model: str) -> bool:
    """`owner/name`, as opposed to a path."""
    return bool(_ID.fullmatch(model)) and not model.startswith(".") and not Path(model).exists()


def find(model: str) -> Path:
    """The folder of `embedded`, of a path, or of an id that has been downloaded. Raises ModelError."""
    if model == "embedded":
        return EMBEDDED_FOLDER
    if not is_id(model):
        return Path(model).expanduser()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True, ignore_patterns=IGNORED))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        raise ModelError(
            f"{model} is not whole on this machine; run `infill-ls models download {model}`"
        ) from None


def examine(folder: Path, name: str) -> Checkpoint:
    """`name` is what the user calls it. Raises ModelError where it cannot be loaded as it is."""
    again = f"infill-ls models download {name}" if is_id(name) else "copy the model again"
    found = describe(folder, again)
    packed = (folder / PACKED_FILE).is_file()
    files = [folder / PACKED_FILE] if packed else _weight_files(folder, again)
    for path in files:
        check_file(path, again)
    return replace(found, files=tuple(files), packed=packed)


def describe(folder: Path, again: str) -> Checkpoint:
    """The checkpoint without its weights, which may be elsewhere. `again`: how to get what is missing, for
    the message. Raises ModelError."""
    if not folder.is_dir():
        raise ModelError(
            f"there is no folder {folder}; set infill.model to a folder or an id like owner/name"
        )
    if not (folder / "config.json").is_file():
        raise ModelError(f"no model at {folder}: config.json is missing; {again}")
    config = _json(folder / "config.json", again)
    infiller = config.get("model_type") in INFILLER_TYPES
    parts = infiller and all((folder / name).is_file() for name in ("vocab.json", "merges.txt"))
    if not parts and not (folder / "tokenizer.json").is_file():
        raise ModelError(f"no model at {folder}: tokenizer.json is missing; {again}")
    if not infiller and config.get("model_type") != MODEL_TYPE:
        raise ModelError(
            f"the model in {folder} is a {config.get('model_type')!r}, a {MODEL_TYPE!r} is needed; "
            "`infill-ls models list` names some"
        )
    generation = folder / "generation_config.json"
    return Checkpoint(folder, config, _json(generation, again) if generation.is_file() else {})


def model_type(folder: Path) -> str:
    """What its config.json says, "" where that cannot be read."""
    try:
        return str(json.loads((folder / "config.json").read_bytes()).get("model_type") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _weight_files(folder: Path, again: str) -> list[Path]:
    if (folder / WHOLE_FILE).is_file():
        return [folder / WHOLE_FILE]
    index = folder / INDEX_FILE
    if not index.is_file():
        if any(path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl") for path in folder.glob("*")):
            raise ModelError(
                f"{folder} holds pickled weights, which may run code; convert them to safetensors"
            )
        raise ModelError(f"no model at {folder}: {WHOLE_FILE} is missing; {again}")
    named = _json(index, again).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise ModelError(f"{index} is not an index of weights; {again}")
    files = sorted({folder / Path(str(file)).name for file in named.values()})
    if missing := [path.name for path in files if not path.is_file()]:
        raise ModelError(f"{folder} lacks {missing[0]} ({len(missing)} of {len(files)} files); {again}")
    return files


def check_file(path: Path, again: str) -> None:
    """A safetensors file is a length, a header in JSON, and as many bytes as the header says. Raises
    ModelError where it is not that."""
    try:
        tensors = header(path)
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; chmod u+r {path}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error):
        raise ModelError(f"{path} is damaged: not a safetensors file; {again}") from None
    if (found := path.stat().st_size) != (whole := 8 + length + end):
        raise ModelError(f"{path} is damaged: {found} bytes instead of {whole}; {again}")


def header(path: Path) -> Mapping[str, Any]:
    """name -> dtype, shape and place of each tensor. Raises OSError, ValueError, struct.error."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER:
            raise ValueError(length)
        found = json.loads(file.read(length))
    return {name: tensor for name, tensor in found.items() if name != "__metadata__"}


def _json(path: Path, again: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not JSON ({error}); {again}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is not a JSON object; {again}")
    return found
