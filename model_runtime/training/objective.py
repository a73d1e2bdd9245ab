"""What the embedded model minimises: next-token cross-entropy of the causal encoder, plus the
cross-entropy of hole tokens under uniform-state noise in the decoder.

After NeMo AutoModel's recipe for diffusion_gemma (t uniform, each token replaced by a random one
with probability t, two-pass self-conditioning half of the time, encoder loss added), changed for
infilling: only a contiguous hole is noised, everything else is pinned and says so through its
self-conditioning signal (its own embedding), and the loss counts hole positions only.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime import forward
from model_runtime.training.batches import Batch
from model_runtime.training.vocabulary import PAD, SPECIAL

FULL_NOISE = 0.4  # share of canvases whose hole is pure noise, as it is at the first step
FILLER_WEIGHT = 0.1  # gap tokens after the first are trivial: they must not drown the text


def causal_masks(length: int, window: int, device: torch.device) -> dict[str, Tensor]:
    i = torch.arange(length, device=device)
    causal = i[:, None] >= i[None, :]
    sliding = causal & (i[:, None] - i[None, :] < window)
    return {"full_attention": causal[None, None], "sliding_attention": sliding[None, None]}


def canvas_masks(batch: Batch, window: int, pad: int = PAD) -> dict[str, Tensor]:
    """Canvas token -> its own canvas (pads excluded) and the prefix up to the canvas's cut."""
    length = batch.sequence.shape[1]
    canvases, width = batch.cuts.shape[1], batch.width
    owner = torch.arange(canvases, device=batch.cuts.device).repeat_interleave(width)
    same = (owner[:, None] == owner[None, :]) & (batch.canvas != pad)[:, None, :]  # [B, KC, KC]
    key = torch.arange(length, device=batch.cuts.device)
    cut = batch.cuts[:, owner, None]  # [B, KC, 1]
    full = key[None, None, :] < cut
    sliding = full & (key[None, None, :] >= cut - (window - 1))
    return {
        "full_attention": torch.cat([full, same], dim=2)[:, None],
        "sliding_attention": torch.cat([sliding, same], dim=2)[:, None],
    }


def noised(batch: Batch, vocab_size: int, generator: torch.Generator, first: int = len(SPECIAL)) -> Tensor:
    """Canvas ids with each hole token replaced by a random one, from `first` on, with its canvas's
    probability t."""
    rows, canvases = batch.cuts.shape
    device = batch.canvas.device
    t = torch.rand(rows, canvases, generator=generator, device=device)
    pure = torch.rand(rows, canvases, generator=generator, device=device) < FULL_NOISE
    t = torch.where(pure, 1.0, t).repeat_interleave(batch.width, dim=1)
    noise = torch.randint(first, vocab_size, batch.canvas.shape, generator=generator, device=device)
    hit = torch.rand(batch.canvas.shape, generator=generator, device=device) < t
    return torch.where(batch.hole & hit, noise, batch.canvas)


class Objective:
    """Callable loss; `canvas_loss=False` trains the causal encoder alone."""

    def __init__(
        self,
        model: Any,
        encode: Any = forward.encode,
        decode: Any = forward.decode,
        *,
        pad: int = PAD,
        first: int = len(SPECIAL),
    ) -> None:
        """`pad`: canvas positions that nobody attends to; `first`: the first id that may be noise."""
        self.pad = pad
        self.first = first
        self.model = model
        self.encode = encode
        self.decode = decode
        text = model.config.text_config
        self.window: int = text.sliding_window
        self.vocab_size: int = text.vocab_size
        self._causal: dict[tuple[int, torch.device], dict[str, Tensor]] = {}

    def _masks(self, length: int, device: torch.device) -> dict[str, Tensor]:
        key = (length, device)
        if key not in self._causal:
            self._causal[key] = causal_masks(length, self.window, device)
        return self._causal[key]

    def causal_loss(self, batch: Batch, kv: forward.KeyValues) -> Tensor:
        scores = forward.logits(self.model, self.prefix(batch, kv)[:, :-1])
        return F.cross_entropy(scores.flatten(0, 1), batch.sequence[:, 1:].flatten())

    def prefix(self, batch: Batch, kv: forward.KeyValues) -> Tensor:
        """Encode the sequences; their hidden states [B, P, H]."""
        rows, length = batch.sequence.shape
        positions = torch.arange(length, device=batch.sequence.device)[None].expand(rows, -1)
        masks = self._masks(length, batch.sequence.device)
        return self.encode(self.model, batch.sequence, positions, masks, kv)

    def canvas_loss(
        self, batch: Batch, kv: forward.KeyValues, generator: torch.Generator, condition: bool
    ) -> Tensor:
        """Mean over hole positions; `condition` adds the second, self-conditioned pass."""
        ids = noised(batch, self.vocab_size, generator, self.first)
        offsets = torch.arange(batch.width, device=ids.device)
        positions = (batch.cuts[:, :, None] + offsets).flatten(1)
        masks = canvas_masks(batch, self.window, self.pad)
        signal = forward.embed(self.model, batch.canvas) * ~batch.hole[..., None]
        if condition:
            with torch.no_grad():
                hidden = self.decode(self.model, ids, signal, positions, masks, kv)
                temperature = 0.4 + 0.6 * torch.rand((), generator=generator, device=ids.device)
                scores = forward.logits(self.model, hidden[batch.hole]) / temperature
                believed = forward.soft_embed(self.model, scores.softmax(-1)).to(signal.dtype)
            signal = signal.masked_scatter(batch.hole[..., None], believed)
        hidden = self.decode(self.model, ids, signal, positions, masks, kv)
        scores = forward.logits(self.model, hidden[batch.hole])
        losses = F.cross_entropy(scores, batch.canvas[batch.hole], reduction="none")
        weights = torch.where(batch.filler[batch.hole], FILLER_WEIGHT, 1.0)
        return (losses * weights).sum() / weights.sum()
