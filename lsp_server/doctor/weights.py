"""Whether a model folder holds what can be loaded, read from the files themselves, without torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsp_server.doctor.finding import Finding, ok, problem, warning

NEEDED = ("config.json", "tokenizer.json")
WHOLE = ("model.safetensors", "model.int8.safetensors")  # all weights in one file
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
MAX_HEADER = 100_000_000  # bytes; what the safetensors library accepts
_COPY = "copy or download the model again"


def check(folder: Path) -> list[Finding]:
    if not folder.is_dir():
        return [problem("model", f"{folder} is no folder", "set infill.model to embedded or a model folder")]
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        return [problem("model", f"{folder} lacks {' and '.join(missing)}", _COPY)]
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = [path.name for pattern in PICKLES for path in folder.glob(pattern)]
        if pickles:
            said = f"{folder} holds only {pickles[0]}, which may run code when it is read"
            return [problem("model", said, "convert it to safetensors; nothing else is loaded")]
        return [problem("model", f"{folder} holds no weights (*.safetensors)", _COPY)]
    findings = [*map(_file, files), *_shards(folder, files)]
    if bad := [finding for finding in findings if finding.level != "ok"]:
        return bad
    size = sum(path.stat().st_size for path in files)
    named = "the embedded model" if folder.name == "embedded" else str(folder)
    return [ok("model", f"{named}: {parameters(files) / 1e6:,.1f}M parameters, {size / 1e6:,.0f} MB on disk")]


def parameters(files: Sequence[Path]) -> int:
    return sum(math.prod(tensor["shape"]) for path in files for tensor in _tensors(path).values())


def memory_need(files: Sequence[Path], device: str) -> int:
    """Bytes that the weights take when loaded: 4 for each parameter on a CPU, 2 on a GPU."""
    return parameters(files) * (2 if device.startswith(("cuda", "xpu")) else 4)


def _file(path: Path) -> Finding:
    """A safetensors file is a length, a header in JSON, and as many bytes as the header says."""
    try:
        end = max((tensor["data_offsets"][1] for tensor in _tensors(path).values()), default=0)
        with path.open("rb") as file:
            (header,) = struct.unpack("<Q", file.read(8))
        whole = 8 + header + end
    except OSError as error:
        return problem("model", f"{path} cannot be read: {error.strerror}", f"chmod u+r {path}")
    except (ValueError, KeyError, TypeError, IndexError, struct.error):
        return problem("model", f"{path} is not a safetensors file", _COPY)
    found = path.stat().st_size
    if found != whole:
        return problem("model", f"{path} has {found} bytes instead of {whole}", _COPY)
    return ok("model", str(path))


def _shards(folder: Path, files: Sequence[Path]) -> list[Finding]:
    """Weights in several files have an index, which names them all."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        if any(path.name in WHOLE for path in files):
            return []
        return [warning("model", f"{folder} has weights, but none named {' or '.join(WHOLE)}", _COPY)]
    try:
        named = set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        return [problem("model", f"{index} is not an index of weights", _COPY)]
    missing = sorted(named - {path.name for path in files})
    return [problem("model", f"{folder} lacks {missing[0]} ({len(missing)} files)", _COPY)] if missing else []


def _tensors(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER:
            raise ValueError(length)
        header = json.loads(file.read(length))
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}
