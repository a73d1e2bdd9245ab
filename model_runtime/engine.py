"""One fill, from request to text: lay out, prefill, denoise, read the holes back.

Owns the order of these steps and the clock; the worker's scheduler drives it a step at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from model_runtime import length, model, profiles
from model_runtime.denoiser import DenoiseError, Denoiser, Proposal
from model_runtime.faults import Unfillable
from model_runtime.protocol import Infill
from model_runtime.tokens import Layout, LayoutError, Tokens


@dataclass(frozen=True)
class Step:
    """After one denoise step; `texts` decodes the draft only when somebody wants it."""

    step: int
    texts: Callable[[], tuple[str, ...]]


@dataclass(frozen=True)
class Fill:
    texts: tuple[str, ...]
    confidence: float  # in [0, 1]
    steps: int
    prefill_ms: float
    denoise_ms: float
    complete: bool


class Engine:
    def __init__(self, name: str, denoiser: Denoiser, tokens: Tokens) -> None:
        self.name = name
        self.device = denoiser.device
        self._denoiser = denoiser
        self._tokens = tokens

    def fill(self, request: Infill) -> Generator[Step, Literal["finish"] | None, Fill]:
        """Yields after every step; sending "finish" returns the best so far, closing abandons it.

        Raises Unfillable."""
        try:
            layout = self._tokens.lay(request)
            started = time.perf_counter()
            self._denoiser.prefill(layout.prompt)
            prefilled = time.perf_counter()
            policy = self._tokens.profile.policy
            for proposal in self._denoiser.denoise(layout.prompt, [layout.row], policy, request.seed):
                complete = proposal.finished or proposal.step == policy.max_steps
                command = yield Step(proposal.step, lambda p=proposal: self._texts(layout, p))
                if complete or command == "finish":
                    denoised = time.perf_counter()
                    return Fill(
                        self._texts(layout, proposal),
                        self._confidence(layout, proposal),
                        proposal.step,
                        (prefilled - started) * 1000,
                        (denoised - prefilled) * 1000,
                        complete,
                    )
        except LayoutError as error:
            raise Unfillable("invalid", str(error)) from None
        except DenoiseError as error:
            raise Unfillable("failed", str(error)) from None
        except MemoryError:
            raise Unfillable("failed", "out of memory; use a smaller model or a smaller hole") from None
        raise AssertionError("a denoiser proposes at least once")

    def _texts(self, layout: Layout, proposal: Proposal) -> tuple[str, ...]:
        gap = self._tokens.profile.gap
        holes = [proposal.ids[0][slot] for slot in layout.slots]
        return tuple(self._tokens.decode(ids[: length.text_length(ids, gap)[0]]) for ids in holes)

    def _confidence(self, layout: Layout, proposal: Proposal) -> float:
        """Joint probability of the texts and their ends, as if positions were independent."""
        total = 0.0
        for slot in layout.slots:
            n, ended = length.text_length(proposal.ids[0][slot], self._tokens.profile.gap)
            total += sum(proposal.logprobs[0][slot][: n + ended])
        return min(1.0, math.exp(total))


def load_engine(name: str, device: str, on_progress: Callable[[float], None]) -> Engine:
    """Raises `faults.ModelError`."""
    folder = model.model_folder(name)
    profile = profiles.EMBEDDED
    tokens = Tokens.load(folder, profile)
    on_progress(0.1)
    denoiser = model.load(folder, device, profile)
    on_progress(1.0)
    return Engine(name, denoiser, tokens)
