"""Bytes that a denoise step of the released geometry touches, by arithmetic: nothing is loaded.

A step reads every weight of the decoder once (of the experts those that its tokens are routed to, as if each
were as likely), the table of tokens twice (head and self-conditioning), and the prefix's keys and values. A
kind whose matrices are widened to bf16 before they are multiplied (int8 and int4, see
`network/quantized_layers`) also writes and reads them as bf16: it saves memory, not time.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.bench.released import GEOMETRIES, decoder_shapes
from model_runtime.network.memory_budget import KINDS, Weights, packed_as, weight_bytes

WIDENED = ("int8", "int4")  # kinds that no kernel multiplies as they are
BANDWIDTHS = {"H100": 3.35e12, "H200": 4.8e12}  # bytes a second, by their data sheets
SHAPES = ((64, 1), (64, 8), (256, 1), (256, 8))  # canvas, rows
PREFIX = 2048


@dataclass(frozen=True)
class Floor:
    kind: str
    canvas: int
    rows: int
    experts: float  # share of them that is touched
    held: float  # bytes that are read as they are held: the floor of a kernel that multiplies them so
    touched: float  # bytes that are read and written as they are multiplied today


def floors(name: str = "26b") -> list[Floor]:
    decoder = decoder_shapes(name)
    return [_floor(name, decoder, kind, canvas, rows) for canvas, rows in SHAPES for kind in KINDS]


def _floor(name: str, decoder: dict[str, tuple[int, ...]], kind: str, canvas: int, rows: int) -> Floor:
    geometry = GEOMETRIES[name]
    experts = 1 - (1 - geometry.active / geometry.experts) ** (canvas * rows)
    held = wide = 0.0
    for weight, shape in decoder.items():
        share = experts if ".experts." in weight else 2.0 if "embed_tokens" in weight else 1.0
        held += share * weight_bytes(Weights.of({weight: shape}), "bfloat16", kind)
        if kind in WIDENED and packed_as(weight, kind):
            wide += share * weight_bytes(Weights.of({weight: shape}), "bfloat16", "none")
    held += _keys(name)
    return Floor(kind, canvas, rows, experts, held, held + 2 * wide)


def _keys(name: str) -> int:
    """Bytes of the keys and values that a canvas sees; rows of a batch share them."""
    geometry = GEOMETRIES[name]
    near, full = min(PREFIX, geometry.window - 1), geometry.layers // 6
    sliding = (geometry.layers - full) * near * geometry.kv_heads * geometry.head_dim
    return 2 * 2 * (sliding + full * PREFIX * geometry.full_kv_heads * geometry.full_head_dim)


def table(found: list[Floor]) -> str:
    """In Markdown, as docs/benchmarks.md has it."""
    chips = " | ".join(f"{chip}: floor, as multiplied, ms" for chip in BANDWIDTHS)
    lines = [f"| canvas x rows | weights | experts | read, GB | touched, GB | {chips} |"]
    lines.append("|---" * (5 + len(BANDWIDTHS)) + "|")
    for one in found:
        name = "bf16" if one.kind == "none" else one.kind
        both = ((one.held / speed * 1e3, one.touched / speed * 1e3) for speed in BANDWIDTHS.values())
        times = " | ".join(f"{floor:.1f}, {today:.1f}" for floor, today in both)
        lines.append(
            f"| {one.canvas} x {one.rows} | {name} | {one.experts:.0%} | {one.held / 1e9:.1f} | "
            f"{one.touched / 1e9:.1f} | {times} |"
        )
    return "\n".join(lines)
