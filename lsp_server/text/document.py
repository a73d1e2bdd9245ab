"""Immutable text and ranges: what every step of the pipeline is given instead of the live buffer.

Offsets count Unicode code points (Python string indices) in a snapshot's text and ranges are half open.
LSP positions do not exist here: `positions` converts at the server's edge.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range [start, end) of code-point offsets."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document as it was at one version: its text, or the lines around a place in a long one."""

    uri: str
    version: int
    language: str  # LSP language id
    text: str  # whole lines; offsets count from its start
    first_line: int = 0  # lines of the document before the text


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` of the snapshot at `version` by `text`. Always inside the hole it answers."""

    uri: str
    version: int
    span: Span
    text: str
    confidence: float  # in [0, 1]
    steps: int
    ms: float
    sources: tuple[str, ...] = ()  # who proposed it: "denoiser", "draft" (found in the buffer)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is offered. An expected outcome: `reason` is a stable word, `message` one line for a person."""

    reason: str
    message: str
