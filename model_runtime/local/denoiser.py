"""The local denoiser: a loaded DiffusionGemma on this machine's CPU or GPU.

It encodes prompts through the cache, runs the sampler's loop over canvas passes, and scores texts causally.
Ids from the vocabulary's size on stand for the soft tokens of images that it was shown (`network/vision`).
Knows ids and tensors, not text, and not how the model was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from model_runtime.diffusion import sampler
from model_runtime.diffusion.interface import Branch, BranchScore, Proposal, Row, Written
from model_runtime.diffusion.policy import Policy
from model_runtime.network import forward, process_memory
from model_runtime.network.vision import Images, Reader
from model_runtime.prompting.profiles import Profile

from . import readout
from .attention import CanvasView, tree_masks
from .kv_cache import Cache, rolled_back
from .memory_guard import memory_guard
from .score_tree import ScoreTree
from .writing import Beams

# Prompt tokens encoded at once. A GPU reads all weights for each piece, so its pieces are large, but no
# layer's activations take more memory than a canvas's logits. On a CPU the worker's peak is 13 MB lower with
# 512 than with 1024.
PIECE, CPU_PIECE = 1024, 256
SCORED = 128  # tokens that the head of the network runs on at once
LONG = 128  # new tokens of a prompt from which on giving memory back costs little beside encoding them


class LocalDenoiser:
    """Implements `interface.Denoiser`, `Scoring` and `Writing`. One caller at a time. `dtype`: what it
    computes in, where its weights do not tell.

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
        dtype: str = "",
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
        self.dtype = dtype or str(model.get_input_embeddings().weight.dtype).removeprefix("torch.")
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
        self.forwards = 0  # passes of the network so far
        self._asked: tuple[list[int], forward.KeyValues] | None = None  # all but the last id of a question
        self._images = Images(model, reader)

    def see(self, image: bytes) -> list[int]:
        """Implements `interface.Seeing`."""
        with torch.inference_mode(), memory_guard():
            return self._images.ids(image)

    def cached(self, prompt: Sequence[int]) -> int:
        return self.cache.match(prompt)[0]

    def prefill(self, prompt: Sequence[int]) -> None:
        with torch.inference_mode(), memory_guard():
            self._encode(prompt)

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: Policy, seed: int
    ) -> Generator[Proposal, Sequence[int] | None, None]:
        noise = sampler.SeededNoise(self._vocabulary, seed, self._device, self.profile.first_text_id)
        alive = tuple(range(len(rows)))
        with torch.inference_mode(), memory_guard():
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
            with torch.inference_mode(), memory_guard():
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
        """One causal pass over all branches as a tree: the prompt, the head, and what some of them begin
        with alike are there once."""
        prompt, head = _apart(prompt, head)
        kv = None
        if self._asked and self._asked[0] == [*prompt, *head[:-1]]:
            (prompt, kv), head = self._asked, head[-1:]
        self._asked = None
        texts = [[*b.ids, *b.after] for b in branches]
        tree = ScoreTree.of(head, texts)
        before = [tree.before(head, text) for text in texts]
        asked = sorted({node for nodes in before for node in nodes})
        with torch.inference_mode(), memory_guard():
            kv = kv or rolled_back(self._encode(prompt), len(prompt))
            ids = torch.tensor(tree.ids, device=self._device)
            positions = len(prompt) + torch.tensor(tree.depths, device=self._device)
            ends = torch.tensor(tree.ends, device=self._device)
            masks = tree_masks(len(prompt), ends, positions, self._window)
            wanted = torch.tensor([asked], dtype=torch.long, device=self._device)
            self.forwards += 1
            hidden = forward.encode(self.model, ids[None], positions[None], masks, kv, wanted=wanted)[0]
            row = {node: k for k, node in enumerate(asked)}
            rows = [row[node] for nodes in before for node in nodes]
            values = iter(self._logprobs(hidden, rows, [token for text in texts for token in text]))
        return [BranchScore([*islice(values, len(b.ids))], [*islice(values, len(b.after))]) for b in branches]

    def write(
        self, prompt: Sequence[int], head: Sequence[int], end: int, most: int, beams: int
    ) -> Generator[list[Written], None, None]:
        """What the question computed is kept for a `score` of the same one."""
        prompt, head = _apart(prompt, head)
        banned = self._banned.clone()
        banned[: self.profile.first_text_id] = float("-inf")  # a filler, too
        banned[end] = 0.0

        def likely(hidden: Tensor) -> Tensor:
            return (forward.logits(self.model, hidden) + banned).log_softmax(-1)

        def after(ids: Tensor, positions: Tensor, masks: forward.Masks) -> Tensor:
            self.forwards += 1
            return likely(forward.encode(self.model, ids, positions, masks, near)[0])

        with torch.inference_mode(), memory_guard():
            kv = rolled_back(self._encode(prompt), len(prompt))
            first = likely(self.extend(kv, head, wanted=[len(head) - 1]))
            near = CanvasView.of(kv, self._layer_types, self._window, 1, padded=False).kv
            asked = [*prompt, *head[:-1]]
            self._asked = asked, rolled_back(kv, len(asked))
        search = Beams(len(kv), self._window, after).search(first, end, most, beams)
        while True:
            with torch.inference_mode(), memory_guard():
                found = next(search, None)
            if found is None:
                return
            yield [each.written for each in found]

    def _logprobs(self, hidden: Tensor, rows: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """Log-probability of each token [N] after its row [N] of `hidden` [T, H]. Computed in parts, since
        logits over the vocabulary are wide."""
        at, wanted = (torch.tensor(each, dtype=torch.long, device=self._device) for each in (rows, tokens))
        found = torch.zeros(len(rows), device=self._device)
        for first in range(0, len(hidden), SCORED):
            logp = forward.logits(self.model, hidden[first : first + SCORED]).log_softmax(-1)
            here = (at >= first) & (at < first + SCORED)
            found[here] = logp[at[here] - first, wanted[here]]
        return found.tolist()

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
                self.extend(kv, prompt[start : start + step], wanted=())
            self.cache.insert(prompt, kv)
            if long:
                process_memory.trim()
        return kv

    def extend(
        self, kv: forward.KeyValues, new: Sequence[int], wanted: Sequence[int] | None = None
    ) -> Tensor:
        """Encode N tokens that follow those in `kv`, append their keys and values to it, and return the
        hidden states [K, H] of the tokens `wanted` among them, or of all."""
        start = len(kv)
        ids = torch.tensor([list(new)], device=self._device)
        positions = torch.arange(start, start + len(new), device=self._device)[None]
        ends = torch.full_like(positions[0], len(new))
        masks: forward.Masks = tree_masks(start, ends, positions[0], self._window)
        embedded = None
        if max(new) >= self._vocabulary:
            embedded, masks = self._images.shown(ids[0], masks)
        at = None if wanted is None else torch.tensor([list(wanted)], dtype=torch.long, device=self._device)
        self.forwards += 1
        return forward.encode(self.model, ids, positions, masks, kv, embedded, at)[0]

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
        self.forwards += 1
        decoded = (self.model, ids, signal, positions, view.masks, view.kv)
        if self.compiled:  # the hole's length is no shape to compile for
            return forward.logits(self.model, forward.picked(self._decode(*decoded), layout.index))
        return forward.logits(self.model, self._decode(*decoded, layout.index))


def _apart(prompt: Sequence[int], head: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """The same tokens with at least one in the head."""
    return (prompt, head) if head else (prompt[:-1], prompt[-1:])
