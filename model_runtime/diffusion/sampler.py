"""One fill as a pure recurrence: initialize -> update -> ... -> finalize, over frozen states.

The algorithm is the released model's entropy-bound sampler (arXiv 2505.24857; transformers'
`generation_diffusion_gemma.py`) with known tokens *pinned*: only hole positions are sampled, spend
entropy budget, are renoised, and decide when to stop. With nothing pinned it makes the same random
draws in the same order and reproduces `generate`. What it may decide differently is in `policy`.

Pure tensors: knows no model, tokenizer or text.
Shapes: R rows, C canvas positions, N hole positions (ragged rows are padded; `valid` says which
are real), V vocabulary. Entropies and log-probabilities are in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model_runtime.diffusion.policy import Noise, Policy, Sample, State


@dataclass(frozen=True)
class Layout:
    """Where the holes are. `canvas` holds the pinned ids; at hole positions its content is ignored."""

    canvas: Tensor  # [R, C]
    index: Tensor  # [R, N], canvas position of each hole token
    valid: Tensor  # bool [R, N]

    @staticmethod
    def of(canvas: Tensor, pinned: Tensor) -> Layout:
        """From ids [R, C] and a pinned mask [R, C]; every row needs a hole position."""
        counts = (~pinned).sum(dim=1)
        if not bool((counts > 0).all()):
            raise ValueError("a canvas row has no hole")
        order = pinned.to(torch.int8).argsort(dim=1, stable=True)  # hole positions first, in order
        width = int(counts.max())
        valid = torch.arange(width, device=canvas.device)[None, :] < counts[:, None]
        return Layout(canvas, order[:, :width].contiguous(), valid)

    def compose(self, ids: Tensor) -> Tensor:
        """The whole canvas [R, C] with `ids` [R, N] in its holes; pinned ids re-asserted."""
        kept = self.canvas.gather(1, self.index)
        return self.canvas.scatter(1, self.index, torch.where(self.valid, ids, kept))


def initialize(layout: Layout, noise: Noise, warm: Tensor | None = None) -> State:
    """Holes full of random tokens, or of `warm` [R, N], the tokens of a draft."""
    shape = tuple(layout.index.shape)
    ids = noise.ids(shape) if warm is None else warm
    infinite = torch.full(shape, float("inf"), device=ids.device)
    finished = torch.zeros(shape[0], dtype=torch.bool, device=ids.device)
    return State(ids, ids, None, infinite, -infinite, finished, 0, torch.zeros_like(ids, dtype=torch.bool))


def update(state: State, logits: Tensor, layout: Layout, policy: Policy, noise: Noise) -> State:
    """One denoise step from the raw `logits` [R, N, V] of the hole positions. Rows that had
    finished stay as they were."""
    remaining = policy.max_steps - state.step
    temperature = policy.temperature(remaining, policy.max_steps)
    best, entropy, sampled = _draw(logits, temperature, policy.sample, noise)
    accepted = policy.accept(entropy, layout.valid)
    ids = torch.where(accepted, sampled, noise.ids(tuple(sampled.shape)))
    logprob = logits.log_softmax(-1).gather(-1, best[..., None])[..., 0]
    new = State(ids, best, logits / temperature, entropy, logprob, state.finished, state.step + 1, accepted)
    if state.logits is not None:
        new = _keep_finished(state, new)
    relevant = layout.valid & policy.relevant(new.best).bool()
    return replace(new, finished=state.finished | policy.stop(state, new, relevant))


def _draw(logits: Tensor, temperature: float, sample: Sample, noise: Noise) -> tuple[Tensor, Tensor, Tensor]:
    """(likeliest, entropy, a sample), each [R, N]. A canvas's logits are 268 MB in the released size, so at
    most two tensors as large exist here, beside `logits` and the state's (`memory_budget.LOGIT_COPIES`)."""
    tempered = logits / temperature
    best, logp = tempered.argmax(-1), tempered.log_softmax(-1)
    del tempered
    probabilities = logp.exp()
    entropy = -logp.clamp_min_(torch.finfo(logp.dtype).min).mul_(probabilities).sum(-1)
    del logp
    return best, entropy, sample(probabilities, noise)


def narrow(layout: Layout, state: State, rows: Sequence[int]) -> tuple[Layout, State]:
    """Only the given rows."""
    at = torch.tensor(list(rows), device=layout.canvas.device)
    fields = {k: v[at] for k, v in vars(state).items() if isinstance(v, Tensor)}
    return Layout(layout.canvas[at], layout.index[at], layout.valid[at]), replace(state, **fields)


def finalize(state: State) -> tuple[Tensor, Tensor]:
    """(ids, log-probabilities) [R, N] of the answer."""
    return state.best, state.logprob


def _keep_finished(old: State, new: State) -> State:
    done = old.finished[:, None]
    assert old.logits is not None
    assert new.logits is not None
    return replace(
        new,
        ids=torch.where(done, old.ids, new.ids),
        best=torch.where(done, old.best, new.best),
        logits=torch.where(done[..., None], old.logits, new.logits),
        entropy=torch.where(done, old.entropy, new.entropy),
        logprob=torch.where(done, old.logprob, new.logprob),
        accepted=torch.where(done, old.accepted, new.accepted),
    )


class SeededNoise:
    """Uniform ids in [low, vocabulary) and multinomial samples from one seeded generator."""

    def __init__(self, vocabulary: int, seed: int, device: torch.device, low: int = 0) -> None:
        self._range = (low, vocabulary)
        self._device = device
        self._generator = torch.Generator(device=device).manual_seed(seed)

    def ids(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(*self._range, shape, generator=self._generator, device=self._device)

    def sample(self, probabilities: Tensor) -> Tensor:
        flat = probabilities.flatten(0, -2)
        drawn = torch.multinomial(flat, 1, generator=self._generator)
        return drawn.view(probabilities.shape[:-1])


class QuickNoise(SeededNoise):
    """Samples take one random number for a position, not one for each token: over a large vocabulary on a CPU
    those cost more than all else."""

    def sample(self, probabilities: Tensor) -> Tensor:
        total = probabilities.cumsum(-1)
        drawn = torch.rand((*total.shape[:-1], 1), generator=self._generator, device=self._device)
        most = torch.nextafter(total[..., -1:], torch.zeros_like(drawn))  # rounding may not reach the end
        return torch.searchsorted(total, torch.minimum(drawn * total[..., -1:], most), right=True)[..., 0]
