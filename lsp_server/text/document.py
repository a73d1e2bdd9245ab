"""Immutable text, ranges and outcomes: what each step of the pipeline gets instead of the live buffer.

Offsets are Python string indices (code points) into a snapshot's text. LSP positions do not exist here:
`positions` converts them at the server's edge.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range [start, end) of code-point offsets. ValueError unless 0 <= start <= end."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document at one version: all of its text, or, of a long one, the lines around a place."""

    uri: str
    version: int
    language: str  # LSP language id
    text: str  # whole lines; offsets count from its start
    first_line: int = 0  # lines of the document before the text; negative in a notebook, see `notebook`


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` of the snapshot at `version` by `text`. The span is inside the hole it was made for."""

    uri: str
    version: int
    span: Span
    text: str
    confidence: float  # in [0, 1]
    steps: int  # denoising steps
    ms: float  # from the request to the answer
    sources: tuple[str, ...] = ()  # who proposed it, as in `protocol.Done`; or "name"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is offered, which is no error. `reason` is a stable word, `message` one line for a person."""

    reason: str
    message: str
