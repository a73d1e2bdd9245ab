"""The local denoiser: a loaded DiffusionGemma on this machine's CPU or GPU.

It encodes prompts through the cache, runs the sampler's loop over canvas passes, and scores texts causally.
Ids from the vocabulary's size on stand for the soft tokens of images that it was shown (`network/vision`).
Knows ids and tensors, not text, and not how the model was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Branch, BranchScore, OutOfMemory, Proposal, Row
from model_runtime.diffusion.policy import Policy
from model_runtime.network import forward, process_memory
from model_runtime.network.vision import Images, Reader
from model_runtime.prompting.profiles import Profile

from . import readout
from .attention import CanvasView, tree_masks
from .kv_cache import Cache, rolled_back

# Prompt tokens encoded at once. A GPU reads all weights for each piece, so its pieces are large, but no
# layer's activations take more memory than a canvas's logits. On a CPU the worker's peak is 13 MB lower with
# 512 than with 1024.
PIECE, CPU_PIECE = 1024, 512
SCORED = 128  # tokens that the head of the network runs on at once
LONG = 128  # new tokens of a prompt from which on giving memory back costs little beside encoding them


@contextmanager
def _memory_guard() -> Iterator[None]:
    """torch reports exhausted memory in three ways; each becomes OutOfMemory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("out of memory; use a smaller model or a shorter hole") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory("out of memory; use a smaller model or a shorter hole") from error


class LocalDenoiser:
    """Implements `interface.Denoiser` and `interface.Scoring`. One caller at a time.

    `static` pads prefixes to buckets, so that shapes repeat and `torch.compile` pays; it and `late`
    (read the stop test one step late, without waiting) are for GPUs. Neither changes a result. `compiler`
    compiles the canvas pass; with static shapes on a GPU it is torch's.
    """

    def __init__(
        self,
        model: Any,
        profile: Profile,
        cache: Cache,
        *,
        static: bool = False,
        late: bool = False,
        reader: Reader | None = None,
        compiler: Callable[[Any], Any] | None = None,
    ) -> None:
        self.model = model
        self.profile = profile
        self.cache = cache
        text = model.config.text_config
        self._layer_types: list[str] = text.layer_types
        self._window: int = text.sliding_window
        self._vocabulary: int = text.vocab_size
        self._device = model.get_input_embeddings().weight.device
        self.device = str(self._device)
        self._static = static
        self._late = late
        if compiler is None and static and self._device.type == "cuda":
            compiler = torch.compile
        self.compiled = compiler is not None
        self._decode = compiler(forward.decode) if compiler else forward.decode
        banned = torch.zeros(self._vocabulary, device=self._device)
        banned[: profile.first_text_id] = float("-inf")
        banned[[i for i in profile.special if i < self._vocabulary]] = float("-inf")
        if profile.filler is not None:
            banned[profile.filler] = 0.0
        self._banned = banned
        self._images = Images(model, reader)

    def see(self, image: bytes) -> list[int]:
        """Implements `interface.Seeing`."""
        with torch.inference_mode(), _memory_guard():
            return self._images.ids(image)

    def cached(self, prompt: Sequence[int]) -> int:
        return self.cache.match(prompt)[0]

    def prefill(self, prompt: Sequence[int]) -> None:
        with torch.inference_mode(), _memory_guard():
            self._encode(prompt)

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Policy, seed: int
    ) -> Generator[Proposal, Sequence[int] | None, None]:
        noise = sampler.SeededNoise(self._vocabulary, seed, self._device, self.profile.first_text_id)
        alive = tuple(range(len(rows)))
        with torch.inference_mode(), _memory_guard():
            canvas = torch.tensor([list(r.ids) for r in rows], device=self._device)
            pinned = torch.tensor([list(r.pinned) for r in rows], device=self._device)
            layout = sampler.Layout.of(canvas, pinned)
            drafted = torch.tensor([r.draft for r in rows], device=self._device)
            state = sampler.initialize(layout, noise)
            ids = torch.where(drafted[:, None], canvas.gather(1, layout.index), state.ids)
            state = replace(state, ids=ids)
            known = forward.embed(self.model, canvas) * pinned[..., None]
            limits = self._limits(rows)
            banned = torch.zeros_like(self._banned) if rows[0].free else self._banned
            view = self._canvas_view(self._encode(prompt), len(rows), canvas.shape[1])
        check: readout.StopCheck | None = None
        finished = False
        while state.step < policy.max_steps and not finished:
            with torch.inference_mode(), _memory_guard():
                scores = self._hole_logits(layout, state, known, view, len(prompt)).add_(banned)
                if limits is not None:
                    scores[:, 0] += limits
                before, state = state.ids, sampler.update(state, scores, layout, policy, noise)
                latest = readout.StopCheck(state.finished.all(), torch.isfinite(scores.logsumexp(-1)).all())
                del scores  # as large as a state's logits, and the next step needs the room
            due, check = (check if self._late else latest), latest
            finished = due is not None and due.read()
            told = replace(state, logits=None)  # a proposal that is kept does not keep the logits
            keep = yield Proposal(
                state.step,
                alive,
                finished,
                read=partial(readout.guess, told, layout, latest),
                seen=partial(readout.seen, before, told, layout),
            )
            if keep is not None and tuple(keep) != alive:
                at = [alive.index(row) for row in keep]
                layout, state = sampler.narrow(layout, state, at)
                known = known[at]
                limits = None if limits is None else limits[at]
                view = view.rows(len(at))
                alive = tuple(keep)

    def score(
        self, prompt: Sequence[int], head: Sequence[int], branches: Sequence[Branch]
    ) -> list[BranchScore]:
        """One causal pass over all branches: a tree that shares the prompt and the head."""
        if not head:
            prompt, head = prompt[:-1], prompt[-1:]
        flat = [[*b.ids, *b.after] for b in branches]
        start, stem = len(prompt), len(head)
        with torch.inference_mode(), _memory_guard():
            kv = rolled_back(self._encode(prompt), start)
            owner = torch.tensor(
                [-1] * stem + [k for k, ids in enumerate(flat) for _ in ids], device=self._device
            )
            offsets = [*range(stem), *(stem + j for ids in flat for j in range(len(ids)))]
            positions = start + torch.tensor(offsets, device=self._device)
            ids = torch.tensor([*head, *(i for ids in flat for i in ids)], device=self._device)
            masks = tree_masks(start, owner, positions, self._window)
            hidden = forward.encode(self.model, ids[None], positions[None], masks, kv)[0]
            parents, at = [], stem
            for tokens in flat:
                parents += [stem - 1, *range(at, at + len(tokens) - 1)][: len(tokens)]
                at += len(tokens)
            values = iter(self._logprobs(hidden[parents], ids[stem:]))
        return [BranchScore([*islice(values, len(b.ids))], [*islice(values, len(b.after))]) for b in branches]

    def _logprobs(self, hidden: Tensor, wanted: Tensor) -> list[float]:
        """Log-probability of each wanted token [T] after its row of `hidden` [T, H]. Computed in parts, since
        logits over the vocabulary are wide."""
        found: list[float] = []
        for rows, tokens in zip(hidden.split(SCORED), wanted.split(SCORED), strict=True):
            logp = forward.logits(self.model, rows).log_softmax(-1)
            found += logp.gather(1, tokens[:, None])[:, 0].tolist()
        return found

    def _limits(self, rows: Sequence[Row]) -> Tensor | None:
        """-inf where a row's first hole token may not be: [R, V], or None where no row has a limit."""
        if not any(row.starts for row in rows):
            return None
        limits = torch.zeros(len(rows), self._vocabulary, device=self._device)
        for k, row in enumerate(rows):
            if row.starts:
                limits[k] = float("-inf")
                limits[k, list(row.starts)] = 0.0
        return limits

    def _encode(self, prompt: Sequence[int]) -> forward.KeyValues:
        """KV of the whole prompt; only what the cache does not know is computed."""
        done, kv = self.cache.match(prompt)
        if done < len(prompt):
            cpu = self._device.type == "cpu"
            long = cpu and len(prompt) - done >= LONG
            if long:
                process_memory.trim()  # the last fill freed blocks of other sizes than those needed now
            whole = max(prompt) >= self._vocabulary  # an image's tokens may have to see each other
            piece = CPU_PIECE if cpu else PIECE
            step = len(prompt) if whole else piece
            for start in range(done, len(prompt), step):
                self.extend(kv, prompt[start : start + step])
            self.cache.insert(prompt, kv)
            if long:
                process_memory.trim()
        return kv

    def extend(self, kv: forward.KeyValues, new: Sequence[int]) -> Tensor:
        """Encode N tokens that follow those in `kv`, append their keys and values to it, and return their
        hidden states [N, H]."""
        start = len(kv)
        ids = torch.tensor([list(new)], device=self._device)
        positions = torch.arange(start, start + len(new), device=self._device)[None]
        masks: forward.Masks = tree_masks(
            start, torch.full_like(positions[0], -1), positions[0], self._window
        )
        embedded = None
        if max(new) >= self._vocabulary:
            embedded, masks = self._images.shown(ids[0], masks)
        return forward.encode(self.model, ids, positions, masks, kv, embedded)[0]

    def _canvas_view(self, kv: forward.KeyValues, rows: int, width: int) -> CanvasView:
        view = CanvasView.of(kv, self._layer_types, self._window, width, padded=self._static)
        return view.rows(rows)

    def _hole_logits(
        self, layout: sampler.Layout, state: sampler.State, known: Tensor, view: CanvasView, start: int
    ) -> Tensor:
        """One decoder pass -> logits [R, N, V]: head and soft embedding on hole positions only."""
        ids = layout.compose(state.ids)
        signal = known
        at = layout.index[..., None].expand(-1, -1, known.shape[-1])
        if state.logits is not None:
            believed = forward.soft_embed(self.model, state.logits.softmax(-1)).to(known.dtype)
            believed = torch.where(layout.valid[..., None], believed, known.gather(1, at))
            signal = known.scatter(1, at, believed)
        positions = torch.arange(start, start + ids.shape[1], device=self._device)[None]
        hidden = self._decode(self.model, ids, signal, positions, view.masks, view.kv)
        return forward.logits(self.model, hidden.gather(1, at))
