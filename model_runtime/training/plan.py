"""The settings of a training run, fixed when it starts."""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.training.batches import Mix


@dataclass(frozen=True)
class Plan:
    """Shares are in [0, 1]. As few passes as ship are what is trained: see `pure`."""

    size: str
    vocab_size: int
    seed: int = 0
    rows: int = 4  # sequences a step
    canvases: int = 8  # per sequence
    examples: int = 8  # in fill-in-the-middle order, per sequence
    width: int = 96  # tokens of a canvas
    narrow: tuple[int, ...] = (48, 64)  # widths that take turns with it: short canvases are served too
    lr: float = 4e-3
    warmup: int = 100  # steps
    causal_steps: int = 1000  # the encoder alone first: at equal tokens it teaches far more
    objective: str = "infill"  # or "fim": the causal losses alone
    pure: float = 0.85  # share of canvases that are what ships: pure noise, one pass, nothing conditioned
    holes: int = 3  # on a canvas, at most
    context: float = 0.3  # share of documents with pieces of other files before them
    drafts: float = 0.1  # share of canvases that begin with a composed draft
    apart: bool = True  # documents of a sequence do not see each other

    @property
    def mix(self) -> Mix:
        alone = self.objective == "fim"
        examples = self.examples + self.canvases * alone
        return Mix(self.holes, examples, self.context * (not alone), self.drafts, self.apart)

    @property
    def full_noise(self) -> float:
        """Share of pure noise in steps of one pass that makes `pure` of all canvases."""
        return self.pure / (1 - self._conditioned)

    @property
    def _conditioned(self) -> float:
        """Share of steps with a second, self-conditioned pass: half of what is not what ships."""
        return (1 - self.pure) / 2

    def conditions(self, step: int) -> bool:
        return int((step + 1) * self._conditioned) > int(step * self._conditioned)

    def canvases_at(self, step: int) -> int:
        return self.canvases if self.objective == "infill" and step >= self.causal_steps else 0

    def width_at(self, step: int) -> int:
        widths = (self.width, *self.narrow)
        return widths[step % len(widths)]
