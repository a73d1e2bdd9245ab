"""How much memory a model takes, before anything is loaded, and which option would fit.

Arithmetic over the shapes in a checkpoint's files; no tensors. It counts what `network/quantized_layers`,
`diffusion/sampler` and `local` allocate; tests compare the counts with the real allocations.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GROUP = 64  # inputs that share a scale in int4; every size of the released geometry is a multiple
WIDENED = 2**26  # elements of packed weights that are widened at once
RUNTIME_BYTES = 600_000_000  # torch itself, and what a GPU's driver takes
LOGIT_COPIES = 4  # fp32 tensors over the vocabulary that exist at once on a canvas's hole positions
LEAST_CONTEXT = 2048  # there has to be room for the keys and values of so many prompt tokens
WINDOW, CPU_WINDOW = 512, 256  # tokens that a masked-diffusion model reads, on a GPU and on a CPU
BUCKET = 256  # a canvas's view of its prompt is padded to a multiple of so many tokens
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
KINDS = ("none", "fp8", "int8", "int4")  # from the most exact to the smallest

# Linear layers and experts of the text model are packed. The router, norms and the vision tower are not, nor
# is the table of tokens, except by int4, which stores it as int8.
_WANTED = re.compile(
    r".*\.(self_attn\.[qkvo]_proj\.weight|mlp\.(gate|up|down)_proj\.weight"
    r"|self_conditioning\.(gate|up|down)_proj\.weight|experts\.(gate_up|down)_proj)"
)
_STACK = r"model\.(?:encoder\.language_model\.|decoder\.)?"
_TABLE = re.compile(_STACK + r"embed_tokens\.weight|lm_head\.weight")
_KEYS = re.compile(_STACK + r"layers\.(\d+)\.self_attn\.k_proj\.weight")


def packed_as(name: str, kind: str) -> str | None:
    """The kind that a tensor of a checkpoint is packed as; None where it stays as it is."""
    if kind == "int4" and _TABLE.fullmatch(name):
        return "int8"
    return kind if kind != "none" and _WANTED.fullmatch(name) and "vision" not in name else None


@dataclass(frozen=True)
class Weights:
    """Counted from a checkpoint's files; a tensor that is tied to another is there once."""

    packable: tuple[tuple[int, ...], ...]  # shapes of matrices that a quantisation would pack
    rest: int  # parameters that it leaves as they are
    fixed: int = 0  # bytes of what comes quantised and stays so
    tables: tuple[tuple[int, ...], ...] = ()  # shapes of what only int4 packs, as int8

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]], fixed: int = 0) -> Weights:
        """From the shapes of tensors that are not quantised."""
        packable = {name: shape for name, shape in shapes.items() if packed_as(name, "int8")}
        tables = {name: shape for name, shape in shapes.items() if _TABLE.fullmatch(name)}
        rest = sum(math.prod(s) for name, s in shapes.items() if name not in packable and name not in tables)
        return cls(tuple(packable.values()), rest, fixed, tuple(tables.values()))

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape in (*self.packable, *self.tables)) + self.rest


@dataclass(frozen=True)
class Keys:
    """Elements of the keys and values of one token, by type of layer."""

    windowed: int = 0  # in all sliding-window layers
    full: int = 0  # in all full-attention layers
    window: int = 0  # tokens

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]], text: Mapping[str, Any]) -> Keys:
        """From the shapes of a checkpoint's tensors and its text configuration."""
        layers = {int(at[1]): shape[0] for name, shape in shapes.items() if (at := _KEYS.fullmatch(name))}
        kinds = text.get("layer_types") or []
        windowed = {at for at in layers if at < len(kinds) and kinds[at] == "sliding_attention"}
        near = sum(layers[at] for at in windowed)
        full = sum(layers.values()) - near
        return cls(2 * near, 2 * full, text.get("sliding_window") or 0)  # values are as large as keys

    def taken(self, tokens: int) -> int:
        """Elements held for a prompt of `tokens` and for a canvas's view of it, which is a copy if padded."""
        return (self.windowed + self.full) * tokens + self.view(tokens)

    def view(self, tokens: int) -> int:
        """Elements held for a canvas's view of a prompt of `tokens`."""
        return self.windowed * min(tokens + BUCKET, self.window) + self.full * (tokens + BUCKET)

    def tokens(self, elements: int, most: int) -> int:
        """Length of the longest prompt that takes at most `elements`, and at most `most` tokens."""
        return max(0, bisect.bisect_right(range(most + 1), elements, key=self.taken) - 1)


@dataclass(frozen=True)
class Working:
    """What a model takes beside its weights, at least."""

    logits: int  # of a canvas over the vocabulary
    keys: int = 0  # elements of keys and values
    fixed: int = 0  # bytes of what does not depend on the dtype

    @classmethod
    def of_window(cls, vocabulary: int, keys: Keys, window: int) -> Working:
        """Of a masked-diffusion model that reads `window` tokens: the logits of the longest hole, a quarter
        of them, and the keys and values of eight canvases, some in a batch and some kept."""
        return cls(vocabulary * window // 4, 8 * keys.full * window)

    def bytes(self, dtype: str, kind: str) -> int:
        size = BYTES[dtype]
        widened = (1 + size) * WIDENED if kind != "none" else 0  # int4 becomes whole bytes, then floats
        return LOGIT_COPIES * 4 * self.logits + size * self.keys + widened + self.fixed + RUNTIME_BYTES


@dataclass(frozen=True)
class Room:
    """What a device has for a model."""

    device: str
    free: int  # bytes


def weight_bytes(weights: Weights, dtype: str, kind: str) -> int:
    """Bytes of all weights with `kind` of quantisation; `dtype` is that of what is not packed."""
    size = BYTES[dtype]
    if kind == "none":
        return weights.parameters * size + weights.fixed
    if kind == "int4":
        tables = sum(_packed(shape, "int8") for shape in weights.tables)
    else:
        tables = sum(math.prod(shape) for shape in weights.tables) * size
    packed = sum(_packed(shape, kind) for shape in weights.packable)
    return packed + tables + weights.rest * size + weights.fixed


def _packed(shape: tuple[int, ...], kind: str) -> int:
    """Bytes of a matrix as `quantized_layers.pack` stores it, with its scales."""
    count = math.prod(shape)
    if kind == "int4":
        return count // 2 + count // math.gcd(shape[-1], GROUP) * 2
    return count + count // shape[-1] * 4


def total_bytes(weights: Weights, working: Working, dtype: str, kind: str) -> int:
    return weight_bytes(weights, dtype, kind) + working.bytes(dtype, kind)


def problem(weights: Weights, working: Working, dtype: str, kind: str, room: Room) -> str | None:
    """None where the model fits; otherwise one line that names an option that would."""
    needed = total_bytes(weights, working, dtype, kind)
    if needed <= room.free:
        return None
    said = f"the model takes about {_gb(needed)} on {room.device}, which has {_gb(room.free)} free"
    if dtype == "float32" and (other := total_bytes(weights, working, "bfloat16", kind)) <= room.free:
        return f"{said}; set infill.dtype to bfloat16 ({_gb(other)})"
    for smaller in KINDS:
        total = total_bytes(weights, working, "bfloat16", smaller)
        usable = not (smaller == "fp8" and room.device.startswith(("mps", "cpu")))
        if smaller != "none" and usable and total < needed and total <= room.free:
            return f"{said}; set infill.quantization to {smaller} ({_gb(total)})"
    least = total_bytes(weights, working, "bfloat16", "int4")
    return (
        f"{said}, and even as int4 it needs {_gb(least)}; use a larger GPU, a smaller infill.model, "
        "or infill.backend with a server that has one"
    )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
