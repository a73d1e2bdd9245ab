"""What the embedded model minimises: next-token cross-entropy of the causal encoder, on sequences and on the
answers of examples in fill-in-the-middle order, plus the cross-entropy of hole tokens under uniform-state
noise in the decoder.

After NeMo AutoModel's recipe for diffusion_gemma: t is uniform, each token is replaced by a random one with
probability t, half of the steps have a second, self-conditioned pass, and the encoder's loss is added.
Changed for infilling: only a contiguous hole is noised, and only its positions count. All other tokens are
pinned, which the decoder sees by their self-conditioning signal: their own embedding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.network import forward
from model_runtime.training.attention import (
    BlockKV,
    View,
    block_count,
    canvas_view,
    causal_masks,
    in_order,
)
from model_runtime.training.batches import Batch, Examples
from model_runtime.training.vocabulary import PAD, SPECIAL

FULL_NOISE = 0.4  # share of canvases whose hole is pure noise, as it is at the first step, if none is given
FILLER_WEIGHT = 0.1  # gap tokens after the first are trivial, and must not outweigh the text


def noised(
    batch: Batch,
    vocab_size: int,
    generator: torch.Generator,
    first: int = len(SPECIAL),
    share: float = FULL_NOISE,
) -> Tensor:
    """Canvas ids with each hole token replaced by a random one, from `first` on, with its canvas's
    probability t, which is 1 for a `share` of them. A hole that begins with a draft has that instead."""
    rows, canvases = batch.cuts.shape
    device = batch.canvas.device
    t = torch.rand(rows, canvases, generator=generator, device=device)
    pure = torch.rand(rows, canvases, generator=generator, device=device) < share
    t = torch.where(pure, 1.0, t).repeat_interleave(batch.width, dim=1)
    noise = torch.randint(first, vocab_size, batch.canvas.shape, generator=generator, device=device)
    hit = torch.rand(batch.canvas.shape, generator=generator, device=device) < t
    ids = torch.where(batch.hole & hit, noise, batch.canvas)
    return ids if batch.begin is None else torch.where(batch.begin >= 0, batch.begin, ids)


def next_token_loss(model: Any, hidden: Tensor, following: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the tokens `following` [N] after hidden states [N, H]."""
    return F.cross_entropy(forward.logits(model, hidden), following)


class Objective:
    """The losses of a model; the causal ones alone train the encoder alone."""

    def __init__(
        self,
        model: Any,
        encode: Any = forward.encode,
        decode: Any = forward.decode,
        next_token: Any = next_token_loss,
        *,
        pad: int = PAD,
        first: int = len(SPECIAL),
        full_noise: float = FULL_NOISE,
    ) -> None:
        """`pad`: canvas positions that nobody attends to; `first`: the first id that may be noise;
        `full_noise`: share of canvases whose hole is pure noise where no second pass is made."""
        self.pad = pad
        self.first = first
        self.full_noise = full_noise
        self.model = model
        self.encode = encode
        self.decode = decode
        self.next_token = next_token
        text = model.config.text_config
        self.types: list[str] = text.layer_types
        self.window: int = text.sliding_window
        self.vocab_size: int = text.vocab_size

    def causal_loss(self, batch: Batch) -> tuple[Tensor, forward.KeyValues]:
        """The loss, and the keys and values that the canvases on these sequences read."""
        hidden, kv = self.prefix(batch)
        before, following = hidden[:, :-1].flatten(0, 1), batch.sequence[:, 1:].flatten()
        return self.next_token(self.model, before, following), kv

    def prefix(self, batch: Batch) -> tuple[Tensor, forward.KeyValues]:
        """Encode the sequences: hidden states [B, P, H], keys and values."""
        rows, length = batch.sequence.shape
        blocks = block_count(length, self.window)
        positions = torch.arange(length, device=batch.sequence.device).view(blocks, -1).repeat(rows, 1)
        masks = causal_masks(length, self.window, batch.sequence.device, blocks, rows, batch.segments)
        kv = BlockKV(types=self.types, blocks=blocks)
        hidden = self.encode(
            self.model,
            batch.sequence.view_as(positions),
            positions,
            masks,
            kv,
        )
        return hidden.view(rows, length, -1), kv

    def answer_loss(self, batch: Batch, examples: Examples, kv: forward.KeyValues) -> Tensor:
        """Of the examples' answers, with everything before them in sight, in nats a token."""
        ids, answer, cuts = examples
        view = canvas_view(kv, self.types, cuts, ids != self.pad, self.window, batch.segments)
        seen, masks = in_order(view, ids.shape[1], self.window)
        positions = cuts.view(-1, 1) + torch.arange(ids.shape[1], device=ids.device)
        hidden = self.encode(self.model, ids, positions, masks, seen)
        asked = answer[:, 1:]  # not compiled: a batch asks for as many tokens as it happens to
        return next_token_loss(self.model, hidden[:, :-1][asked], ids[:, 1:][asked])

    def view(self, batch: Batch, kv: forward.KeyValues) -> View:
        """What the batch's canvases see of its sequences and of themselves."""
        content = batch.canvas.view(-1, batch.width) != self.pad
        return canvas_view(kv, self.types, batch.cuts, content, self.window, batch.segments)

    def canvas_states(self, batch: Batch, view: View, ids: Tensor, signal: Tensor) -> Tensor:
        """Decode canvases `ids` [B, K * C] with their `signal` [B, K * C, H]: hidden states [B, K * C, H]."""
        kv, masks = view
        positions = batch.cuts.view(-1, 1) + torch.arange(batch.width, device=ids.device)
        rows, signals = ids.view_as(positions), signal.view(*positions.shape, -1)
        return self.decode(self.model, rows, signals, positions, masks, kv).view(*ids.shape, -1)

    def canvas_loss(
        self, batch: Batch, kv: forward.KeyValues, generator: torch.Generator, condition: bool
    ) -> Tensor:
        """Weighted mean over hole positions, in nats; `condition` adds the second, self-conditioned pass."""
        share = FULL_NOISE if condition else self.full_noise
        ids = noised(batch, self.vocab_size, generator, self.first, share)
        signal = forward.embed(self.model, batch.canvas) * ~batch.hole[..., None]
        view = self.view(batch, kv)
        if condition:
            with torch.no_grad():
                hidden = self.canvas_states(batch, view, ids, signal)
                temperature = 0.4 + 0.6 * torch.rand((), generator=generator, device=ids.device)
                scores = forward.logits(self.model, hidden[batch.hole]) / temperature
                believed = forward.soft_embed(self.model, scores.softmax(-1)).to(signal.dtype)
            signal = signal.masked_scatter(batch.hole[..., None], believed)
        hidden = self.canvas_states(batch, view, ids, signal)
        scores = forward.logits(self.model, hidden[batch.hole])
        losses = F.cross_entropy(scores, batch.canvas[batch.hole], reduction="none")
        weights = torch.where(batch.filler[batch.hole], FILLER_WEIGHT, 1.0)
        return (losses * weights).sum() / weights.sum()
