"""The denoiser of a masked-diffusion model on this machine: Qwen2 or Llama layers that see both sides.

It runs the sampler's loop (`diffusion/masked`) over passes (`masked_passes`), and scores texts by what it
would write in their places. A prompt is a part of each canvas: nothing of it can be encoded before. Knows ids
and tensors, not text, and not how the model was loaded.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from model_runtime.diffusion import masked
from model_runtime.diffusion.interface import DenoiseError, Guess, Proposal, Row, Seen
from model_runtime.diffusion.masked import Ids, State
from model_runtime.diffusion.sampler import QuickNoise
from model_runtime.network import arithmetic
from model_runtime.prompting.infillers import Infiller
from model_runtime.prompting.profiles import Profile

from .masked_canvas import Canvas
from .masked_passes import Passes
from .memory_guard import memory_guard
from .surroundings import Surroundings

DOUBTED = math.log(0.5)  # a draft's token that is less likely becomes a mask


class MaskedDenoiser:
    """Implements `interface.Denoiser` and `interface.PseudoScoring`. One caller at a time. `exact`: nothing
    is kept between passes."""

    compiled = False

    def __init__(self, model: Any, record: Infiller, profile: Profile, *, exact: bool = False) -> None:
        self.model = model
        self.record = record
        self.profile = profile
        table = model.get_input_embeddings().weight
        self._device = table.device
        self.device = str(table.device)
        norm = next(iter(model.model.norm.parameters()))
        bytes_ = isinstance(model.lm_head, arithmetic.Int8Linear)
        self.dtype = arithmetic.INT8 if bytes_ else str(norm.dtype).removeprefix("torch.")
        self.around = None if exact else Surroundings(model)
        self.passes = Passes(model, self.around, shifted=record.shifted)
        self._vocabulary: int = model.config.vocab_size
        banned = torch.zeros(self._vocabulary, device=self._device)
        banned[[i for i in profile.special if i < self._vocabulary]] = float("-inf")
        banned[record.marks.mask] = float("-inf")
        self._text_only = banned.clone()
        banned[list(record.marks.lengths)] = 0.0
        self._banned = banned

    def cached(self, prompt: Sequence[int]) -> int:
        return 0

    def prefill(self, prompt: Sequence[int]) -> None:
        """Nothing to do: the prompt sees the canvas."""

    def forget(self) -> None:
        """Keep nothing of the last fill."""
        if self.around is not None:
            self.around.clear()

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: masked.Policy, seed: int
    ) -> Generator[Proposal, Sequence[int] | None, None]:
        noise = QuickNoise(self._vocabulary, seed, self._device)
        canvases = self._canvases(prompt, rows)
        states = self._begun(canvases, rows, policy)
        starts = [self._allowed(row) for row in rows]
        alive = tuple(range(len(rows)))
        step, finished = 0, False
        while step < policy.max_steps and not finished:
            before, open_ = states, [k for k, state in enumerate(states) if not state.finished]
            with torch.inference_mode(), memory_guard():
                filled = [(canvases[k], states[k].holes) for k in open_]
                tables = self.passes.logits(filled, moved=step == 0) if filled else []
                states = list(states)
                for k, table in zip(open_, tables, strict=True):
                    states[k] = masked.update(
                        states[k], self._limited(table, states[k], starts[k]), policy, noise
                    )
            step += 1
            finished = all(state.finished for state in states)
            keep = yield Proposal(
                step,
                alive,
                finished,
                read=partial(self._guess, tuple(states), tuple(canvases)),
                seen=partial(self._seen, before[0], states[0], canvases[0]),
            )
            if keep is not None and tuple(keep) != alive:
                at = [alive.index(row) for row in keep]
                states, canvases = [states[k] for k in at], [canvases[k] for k in at]
                starts = [starts[k] for k in at]
                finished = all(state.finished for state in states)
                alive = tuple(keep)

    def pseudo_scores(self, prompt: Sequence[int], rows: Sequence[Row]) -> list[list[float]]:
        """Two canvases for each row, with every second token masked: one round of passes for all rows."""
        canvases = self._canvases(prompt, rows, as_kept=True)
        return self._scores(
            canvases, [_holes(canvas, row) for canvas, row in zip(canvases, rows, strict=True)]
        )

    def _scores(self, canvases: Sequence[Canvas], texts: Sequence[tuple[Ids, ...]]) -> list[list[float]]:
        mask, asked = self.record.marks.mask, []
        for k, holes in enumerate(texts):
            count = sum(map(len, holes))
            for first in range(min(2, count)):
                masked_at = range(first, count, 2)
                asked.append((k, masked_at, _masked(holes, set(masked_at), mask)))
        found = [[0.0] * sum(map(len, holes)) for holes in texts]
        with torch.inference_mode(), memory_guard():
            tables = self.passes.logits([(canvases[k], holes) for k, _, holes in asked], moved=True)
            for (k, masked_at, _), table in zip(asked, tables, strict=True):
                flat = [token for hole in texts[k] for token in hole]
                at = list(masked_at)
                wanted = torch.tensor([flat[i] for i in at], device=self._device)
                logp = (self._finite(table[at]) + self._text_only).log_softmax(-1)
                for i, value in zip(at, logp.gather(-1, wanted[:, None])[:, 0].tolist(), strict=True):
                    found[k][i] = value
        return found

    def _canvases(self, prompt: Sequence[int], rows: Sequence[Row], *, as_kept: bool = False) -> list[Canvas]:
        """With as many ids after the last hole in all, so that they can share what is kept of them;
        `as_kept`: and no more than is kept already."""
        record = self.record
        found = [Canvas.of(prompt, row, pad=self.profile.end, eos=record.eos) for row in rows]
        after = min((len(canvas.known[-1]) for canvas in found), default=0)
        kept = self.around.after(found[0]) if as_kept and found and self.around is not None else None
        after = after if kept is None else min(after, kept)
        return [canvas.cut(after) for canvas in found]

    def _begun(self, canvases: Sequence[Canvas], rows: Sequence[Row], policy: masked.Policy) -> list[State]:
        """Masks, or a draft with masks where it is doubted."""
        mask, own = self.record.marks.mask, self.record.finds_length
        most = [tuple(size - 1 if own else size for size in canvas.sizes) for canvas in canvases]
        begun: list[tuple[Ids, ...]] = [
            tuple((mask,) * (min(policy.start, n) if own else n) for n in sizes) for sizes in most
        ]
        drafted = [k for k, row in enumerate(rows) if row.draft]
        if drafted:
            texts = [self._without_end(_holes(canvases[k], rows[k])) for k in drafted]
            scores = self._scores([canvases[k] for k in drafted], texts)
            for k, text, sure in zip(drafted, texts, scores, strict=True):
                begun[k] = _masked(text, {i for i, value in enumerate(sure) if value < DOUBTED}, mask)
        return [masked.initialize(holes, sizes, policy) for holes, sizes in zip(begun, most, strict=True)]

    def _without_end(self, holes: tuple[Ids, ...]) -> tuple[Ids, ...]:
        filler = self.profile.filler
        return tuple(hole[: hole.index(filler)] if filler in hole else hole for hole in holes)

    def _allowed(self, row: Row) -> Tensor | None:
        """-inf where the row's first hole token may not be: [V], or None."""
        if not row.starts:
            return None
        limits = torch.full((self._vocabulary,), float("-inf"), device=self._device)
        limits[[*row.starts, *self.record.marks.lengths]] = 0.0
        return limits

    def _limited(self, table: Tensor, state: State, starts: Tensor | None) -> Tensor:
        table = self._finite(table) + self._banned
        if starts is not None and state.holes[0]:
            table[0] += starts
        return table

    def _finite(self, table: Tensor) -> Tensor:
        if table.numel() and not all(map(torch.isfinite, torch.aminmax(table))):
            raise DenoiseError("the model returned values that are not numbers; copy it again")
        return table

    def _padded(self, holes: Sequence[Sequence[Any]], canvas: Canvas, end: Any) -> list[Any]:
        """As many entries as the row has hole positions: those of a hole, then `end`s."""
        return [
            each
            for hole, size in zip(holes, canvas.sizes, strict=True)
            for each in (*hole, *[end] * (size - len(hole)))
        ]

    def _guess(self, states: Sequence[State], canvases: Sequence[Canvas]) -> Guess:
        end = self.profile.filler if self.profile.filler is not None else self.profile.end
        said = [(masked.finalize(state), canvas) for state, canvas in zip(states, canvases, strict=True)]
        return Guess(
            [self._padded(ids, canvas, end) for (ids, _), canvas in said],
            [self._padded(logprobs, canvas, 0.0) for (_, logprobs), canvas in said],
        )

    def _seen(self, before: State, after: State, canvas: Canvas) -> Seen:
        mask = self.record.marks.mask
        end = self.profile.filler if self.profile.filler is not None else self.profile.end
        accepted = [[token != mask for token in hole] for hole in after.holes]
        return Seen(self._padded(before.holes, canvas, end), self._padded(accepted, canvas, True))


def _holes(canvas: Canvas, row: Row) -> tuple[Ids, ...]:
    """What a row's holes hold."""
    inside = [token for token, fixed in zip(row.ids, row.pinned, strict=True) if not fixed]
    ends = [sum(canvas.sizes[: i + 1]) for i in range(len(canvas.sizes))]
    return tuple(tuple(inside[end - size : end]) for size, end in zip(canvas.sizes, ends, strict=True))


def _masked(holes: Sequence[Ids], at: set[int], mask: int) -> tuple[Ids, ...]:
    """With masks at the positions `at`, counted over all holes."""
    starts = [sum(map(len, holes[:i])) for i in range(len(holes))]
    return tuple(
        tuple(mask if start + i in at else token for i, token in enumerate(hole))
        for hole, start in zip(holes, starts, strict=True)
    )
