"""The local denoiser: a `DiffusionGemmaForBlockDiffusion` on this machine's CPU or GPU.

The only importer of transformers (training apart). Loading is from a folder on disk: safetensors
only, no remote code. Knows ids and tensors; text is `tokens`' matter.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from model_runtime import denoise, forward
from model_runtime.denoiser import Branch, BranchScore, DenoiseError, OutOfMemory, Proposal, Row
from model_runtime.faults import ModelError
from model_runtime.prefix_cache import Cache, PrefixCache, rolled_back
from model_runtime.profiles import Profile

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"
CACHE_BYTES = 256 * 1024 * 1024
ALL_EXPERTS = "all_experts"  # name of the implementation below in transformers' registry


def all_experts(self: Any, hidden: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Every expert on every row, weighted by the router: [T, H] -> [T, H].

    Equal to the stock loop over experts, without its host synchronisation; the right choice when
    all experts are active anyway."""
    gate, up = torch.einsum("th,eih->tei", hidden, self.gate_up_proj).chunk(2, dim=-1)
    routed = torch.zeros(hidden.shape[0], self.num_experts, dtype=weights.dtype, device=hidden.device)
    routed = routed.scatter(1, index, weights)
    inner = self.act_fn(gate) * up * routed[..., None].to(hidden.dtype)
    return torch.einsum("tei,ehi->th", inner, self.down_proj)


ALL_EXPERTS_FUNCTIONS.register(ALL_EXPERTS, all_experts)


def resolve_device(device: str) -> torch.device:
    """ "auto" -> the best device present."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from None


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def model_folder(model: str) -> Path:
    """`embedded` or a folder with config.json, tokenizer.json and safetensors."""
    folder = EMBEDDED_FOLDER if model == "embedded" else Path(model).expanduser()
    for needed in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / needed).is_file():
            raise ModelError(f"no model at {folder}: {needed} is missing; set infill.model to a model folder")
    return folder


def _checked_config(folder: Path) -> DiffusionGemmaConfig:
    try:
        kind = json.loads((folder / "config.json").read_bytes()).get("model_type")
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'} is not JSON ({error}); copy the model again") from None
    if kind != DiffusionGemmaConfig.model_type:
        raise ModelError(
            f"the model in {folder} is a {kind!r}; a {DiffusionGemmaConfig.model_type!r} is needed"
        )
    return DiffusionGemmaConfig.from_pretrained(folder)


def load(folder: Path, device: str, profile: Profile) -> LocalDenoiser:
    """Raises ModelError."""
    target = resolve_device(device)
    dtype = torch.bfloat16 if target.type == "cuda" else torch.float32
    if target.type == "cpu":
        torch.set_num_threads(min(8, available_cores()))
    try:
        model: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(
            folder, config=_checked_config(folder), dtype=dtype, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"the model in {folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    text = model.config.text_config
    if text.num_experts == text.top_k_experts:
        model.set_experts_implementation(ALL_EXPERTS)
    model.to(target).eval()
    return LocalDenoiser(model, profile, PrefixCache(CACHE_BYTES))


@contextmanager
def _memory_guard() -> Iterator[None]:
    """torch's ways of running out of memory, as one."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("out of memory; use a smaller model or a shorter hole") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory("out of memory; use a smaller model or a shorter hole") from error


class LocalDenoiser:
    """Implements `denoiser.Denoiser`. One caller at a time."""

    def __init__(self, model: Any, profile: Profile, cache: Cache) -> None:
        self.model = model
        self.profile = profile
        self.cache = cache
        text = model.config.text_config
        self._layer_types: list[str] = text.layer_types
        self._window: int = text.sliding_window
        self._vocabulary: int = text.vocab_size
        self._device = model.get_input_embeddings().weight.device
        self.device = str(self._device)
        banned = torch.zeros(self._vocabulary, device=self._device)
        banned[: profile.first_text_id] = float("-inf")
        if profile.filler is not None:
            banned[profile.filler] = 0.0
        self._banned = banned

    def cached(self, prompt: Sequence[int]) -> int:
        return self.cache.match(prompt)[0]

    def prefill(self, prompt: Sequence[int]) -> None:
        with torch.inference_mode(), _memory_guard():
            self._encode(prompt)

    def denoise(
        self, prompt: Sequence[int], rows: Sequence[Row], policy: denoise.Policy, seed: int
    ) -> Generator[Proposal, Sequence[int] | None, None]:
        noise = denoise.SeededNoise(self._vocabulary, seed, self._device, self.profile.first_text_id)
        alive = tuple(range(len(rows)))
        with torch.inference_mode(), _memory_guard():
            canvas = torch.tensor([list(r.ids) for r in rows], device=self._device)
            pinned = torch.tensor([list(r.pinned) for r in rows], device=self._device)
            layout = denoise.Layout.of(canvas, pinned)
            kv = self._encode(prompt)
            known = forward.embed(self.model, canvas) * pinned[..., None]
            drafted = torch.tensor([r.draft for r in rows], device=self._device)
            state = denoise.initialize(layout, noise)
            ids = torch.where(drafted[:, None], canvas.gather(1, layout.index), state.ids)
            state = replace(state, ids=ids)
            limits = self._limits(rows)
        while state.step < policy.max_steps and not bool(state.finished.all()):
            with torch.inference_mode(), _memory_guard():
                scores = self._hole_logits(layout, state, known, kv, len(prompt)) + self._banned
                if limits is not None:
                    scores[:, 0] += limits
                if not bool(torch.isfinite(scores.logsumexp(-1)).all()):
                    raise DenoiseError("the model returned values that are not numbers; copy it again")
                state = denoise.update(state, scores, layout, policy, noise)
            keep = yield self._proposal(state, layout, alive)
            if keep is not None and tuple(keep) != alive:
                at = [alive.index(row) for row in keep]
                layout, state = denoise.narrow(layout, state, at)
                known = known[at]
                limits = None if limits is None else limits[at]
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
            masks = self._tree_masks(start, owner, positions)
            hidden = forward.encode(self.model, ids[None], positions[None], masks, kv)
            logp = forward.logits(self.model, hidden[0]).log_softmax(-1)
        scores, at = [], stem
        for branch, tokens in zip(branches, flat, strict=True):
            parents = [stem - 1, *range(at, at + len(tokens) - 1)][: len(tokens)]
            values = logp[parents, tokens].tolist()
            scores.append(BranchScore(values[: len(branch.ids)], values[len(branch.ids) :]))
            at += len(tokens)
        return scores

    def _proposal(self, state: denoise.State, layout: denoise.Layout, alive: tuple[int, ...]) -> Proposal:
        ids, logprobs = denoise.finalize(state)
        counts = layout.valid.sum(1).tolist()
        return Proposal(
            state.step,
            alive,
            [row[:n] for row, n in zip(ids.tolist(), counts, strict=True)],
            [row[:n] for row, n in zip(logprobs.tolist(), counts, strict=True)],
            bool(state.finished.all()),
        )

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
            ids = torch.tensor([list(prompt[done:])], device=self._device)
            positions = torch.arange(done, len(prompt), device=self._device)[None]
            owner = torch.full((len(prompt) - done,), -1, device=self._device)
            masks = self._tree_masks(done, owner, positions[0])
            forward.encode(self.model, ids, positions, masks, kv)
            self.cache.insert(prompt, kv)
        return kv

    def _tree_masks(self, done: int, owner: Tensor, positions: Tensor) -> dict[str, Tensor]:
        """Causal masks of new tokens over `done` cached ones and themselves. Tokens of owner -1 are
        seen by all later ones, those of a branch only by their own branch."""
        past = torch.arange(done, device=self._device)
        key = torch.cat([past, positions])
        family = torch.cat([torch.full_like(past, -1), owner])
        related = (family[None, :] == -1) | (family[None, :] == owner[:, None])
        causal = related & (key[None, :] <= positions[:, None])
        sliding = causal & (positions[:, None] - key[None, :] < self._window)
        return {"full_attention": causal[None, None], "sliding_attention": sliding[None, None]}

    def _canvas_view(self, kv: forward.KeyValues, rows: int) -> forward.KeyValues:
        """What a canvas may see: all of a full layer, the newest window - 1 tokens of a sliding one."""
        view = forward.KeyValues()
        for kind, layer in zip(self._layer_types, kv.layers, strict=True):
            first = max(0, len(kv) - (self._window - 1)) if kind == "sliding_attention" else 0
            keys, values = layer.keys[:, :, first:], layer.values[:, :, first:]
            view.layers.append(
                forward.LayerKV(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))
            )
        return view

    def _hole_logits(
        self, layout: denoise.Layout, state: denoise.State, known: Tensor, kv: forward.KeyValues, start: int
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
        masks = {"full_attention": None, "sliding_attention": None}
        view = self._canvas_view(kv, ids.shape[0])
        hidden = forward.decode(self.model, ids, signal, positions, masks, view)
        return forward.logits(self.model, hidden.gather(1, at))
