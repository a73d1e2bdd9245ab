"""One timed fill: by this project's engine, and by transformers' `generate` on the same weights.

`generate` gets the part of the same hole that it can use: the text before it. It cannot see the text after
the hole or keep known tokens, denoises its whole canvas, and encodes its prompt every time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from model_runtime.bench.cases import Place, Setting
from model_runtime.bench.machine import synchronize
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Fixed, Infill, Slot


@dataclass(frozen=True)
class Run:
    ms: float
    steps: int
    forwards: int  # passes of the network: pieces of the prompt, steps, writing, ranking
    cache_bytes: int


class Editor:
    """An editor's requests to a local engine. Every place is a document of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._local: Any = engine.denoiser
        self._documents = 0

    def open(self) -> None:
        """A document never seen before: the prefix cache is empty."""
        self._documents += 1
        self._local.cache.clear()

    def ask(self, place: Place, keystroke: int, setting: Setting) -> Run:
        """One request, timed; then the pause until the next keystroke, not timed."""
        request = self.request(place, keystroke, setting)
        before, started = self._local.forwards, time.perf_counter()
        answer = self.engine.run(request)
        ms, forwards = (time.perf_counter() - started) * 1000, self._local.forwards - before
        self.engine.idle()
        return Run(ms, answer.steps, forwards, self._local.cache.bytes)

    def request(self, place: Place, keystroke: int, setting: Setting) -> Infill:
        canvas = (Fixed(place.head(keystroke)), Slot(setting.hole), Fixed(place.after))
        return Infill(
            id=0,
            document=f"bench-{self._documents}",
            prefix=place.prefix,
            canvas=canvas,
            seed=self._documents,
            candidates=setting.candidates,
        )


class Generate:
    """transformers' `generate` with its stock sampler and stop rule, and the given options."""

    def __init__(self, engine: Engine, model: Any, **options: Any) -> None:
        self._engine = engine
        self._model = model
        self._options = options

    def prompt(self, place: Place, keystroke: int) -> list[int]:
        """All of the text before the hole, as far as the model's positions reach."""
        tokens = self._engine.tokens
        room = self._model.config.text_config.max_position_embeddings - self._model.config.canvas_length
        ids = tokens.encode(place.prefix) + tokens.encode(place.head(keystroke))
        bos = list(tokens.profile.bos)
        return bos + ids[max(0, len(ids) + len(bos) - room) :]

    def ask(self, prompt: Sequence[int], setting: Setting, seed: int, **options: Any) -> Run:
        device = self._engine.device
        ids = torch.tensor([list(prompt)] * setting.candidates, device=device)
        torch.manual_seed(seed)
        synchronize(device)
        started = time.perf_counter()
        made = self._model.generate(ids, max_new_tokens=setting.hole, **self._options, **options)
        synchronize(device)
        ms = (time.perf_counter() - started) * 1000
        steps = self._steps(made, len(prompt))
        return Run(ms, steps, steps + 1, _bytes(made.past_key_values))  # one more encodes the prompt

    def _steps(self, made: Any, prompt_tokens: int) -> int:
        """Decoder passes of the row that needed the most."""
        new = made.sequences[:, prompt_tokens:]
        pad = self._model.generation_config.pad_token_id
        counted = torch.full(new.shape[:1], new.shape[1]) if pad is None else (new != pad).sum(1)
        return int((counted.cpu() / made.tokens_per_forward.cpu()).max().round())


def _bytes(cache: Any) -> int:
    kept = [t for layer in cache.layers for t in (layer.keys, layer.values)]
    return sum(t.numel() * t.element_size() for t in kept)
