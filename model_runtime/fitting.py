"""How much memory a model takes, before anything is loaded, and which option would fit.

Arithmetic over the shapes in a checkpoint's files; no tensors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

GROUP = 64  # inputs that share a scale in int4; every size of the released geometry is a multiple
RUNTIME_BYTES = 600_000_000  # torch itself, and what a GPU's driver takes
LOGIT_COPIES = 4  # fp32 tensors over the vocabulary that exist at once on a canvas's hole positions
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
KINDS = ("none", "fp8", "int8", "int4")  # from the most exact to the smallest

# Linear layers and experts of the text model. The router, the embedding, norms and the vision tower stay.
_WANTED = re.compile(
    r".*\.(self_attn\.[qkvo]_proj\.weight|mlp\.(gate|up|down)_proj\.weight"
    r"|self_conditioning\.(gate|up|down)_proj\.weight|experts\.(gate_up|down)_proj)"
)


def is_packed(name: str) -> bool:
    """Whether a tensor of a checkpoint is one that a quantisation packs."""
    return bool(_WANTED.fullmatch(name)) and "vision" not in name


@dataclass(frozen=True)
class Weights:
    """Counted from a checkpoint's files; a tensor that is tied to another is there once."""

    packable: tuple[tuple[int, ...], ...]  # shapes of matrices that a quantisation would pack
    rest: int  # parameters that it leaves as they are
    fixed: int = 0  # bytes of what comes quantised and stays so

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape in self.packable) + self.rest


@dataclass(frozen=True)
class Room:
    """What a device has for a model."""

    device: str
    free: int  # bytes


def working_bytes(vocabulary: int, canvas: int, cache: int) -> int:
    """Beside the weights: logits of a canvas, keys and values, the runtime."""
    return LOGIT_COPIES * 4 * vocabulary * canvas + cache + RUNTIME_BYTES


def weight_bytes(weights: Weights, dtype: str, kind: str) -> int:
    size = BYTES[dtype]
    if kind == "none":
        return weights.parameters * size + weights.fixed
    return sum(_packed(shape, kind) for shape in weights.packable) + weights.rest * size + weights.fixed


def _packed(shape: tuple[int, ...], kind: str) -> int:
    """Of a matrix as `packed.pack` makes it, with its scales."""
    count = math.prod(shape)
    per_scale = math.gcd(shape[-1], GROUP) if kind == "int4" else shape[-1]
    return count // (2 if kind == "int4" else 1) + count // per_scale * 4


def needs(weights: Weights, working: int) -> Mapping[tuple[str, str], int]:
    """(dtype, quantisation) -> bytes in all."""
    return {
        (dtype, kind): weight_bytes(weights, dtype, kind) + working
        for dtype in ("float32", "bfloat16")
        for kind in KINDS
    }


def problem(weights: Weights, working: int, dtype: str, kind: str, room: Room) -> str | None:
    """One line that names the option that would fit, where this one does not."""
    needed = weight_bytes(weights, dtype, kind) + working
    if needed <= room.free:
        return None
    said = f"the model takes about {_gb(needed)} on {room.device}, which has {_gb(room.free)} free"
    if dtype == "float32" and (other := weight_bytes(weights, "bfloat16", kind) + working) <= room.free:
        return f"{said}; set infill.dtype to bfloat16 ({_gb(other)})"
    for smaller in KINDS:
        total = weight_bytes(weights, "bfloat16", smaller) + working
        usable = not (smaller == "fp8" and room.device.startswith(("mps", "cpu")))
        if smaller != "none" and usable and total < needed and total <= room.free:
            return f"{said}; set infill.quantization to {smaller} ({_gb(total)})"
    least = weight_bytes(weights, "bfloat16", "int4") + working
    return (
        f"{said}, and even as int4 it needs {_gb(least)}; use a larger GPU, a smaller infill.model, "
        "or infill.backend with a server that has one"
    )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
