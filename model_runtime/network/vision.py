"""Images in a prompt: each passes the vision tower once and is represented by ids of its own.

The ids lie above the vocabulary, one for each soft token, so that a prefix cache can tell two images
apart. Knows tensors and bytes, not where an image comes from.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from model_runtime.diffusion.interface import DenoiseError

from . import forward

KEPT = 8  # images, the least recently used goes first
MAX_BYTES = 12_000_000  # of a file; a message between server and worker has room for little more
SPACING = 4096  # distance between the first ids of two images; no image has as many soft tokens

Reader = Callable[[bytes], Mapping[str, Tensor]]  # a file -> what the vision tower takes; raises ValueError


class Images:
    def __init__(self, model: Any, reader: Reader | None) -> None:
        self._model = model
        self._reader = reader
        self._first = model.config.text_config.vocab_size
        self._known: OrderedDict[bytes, tuple[int, Tensor]] = OrderedDict()  # digest -> number, [N, H]
        self._next = 0
        config = model.config.text_config
        self._both_ways = getattr(config, "use_bidirectional_attention", None) == "vision"

    def ids(self, image: bytes) -> list[int]:
        """The ids of an image file. Raises DenoiseError where it cannot be read."""
        digest = hashlib.sha256(image).digest()
        if digest not in self._known:
            self._known[digest] = self._next, self._features(image)
            self._next += 1
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(digest)
        number, features = self._known[digest]
        start = self._first + number * SPACING
        return list(range(start, start + len(features)))

    def _features(self, image: bytes) -> Tensor:
        if self._reader is None:
            raise DenoiseError("this model reads no images")
        if len(image) > MAX_BYTES:
            raise DenoiseError(f"the image has more than {MAX_BYTES // 1_000_000} MB; make it smaller")
        try:
            read = self._reader(image)
        except (ValueError, OSError, SyntaxError) as error:
            raise DenoiseError(f"the image cannot be read: {error}") from None
        encoder = self._model.model.encoder
        norm = self._model.model.decoder.norm.weight  # never packed, unlike the table of tokens
        pixels = read["pixel_values"].to(norm.device, encoder.vision_tower.dtype)
        places = read["image_position_ids"].to(norm.device)
        features = encoder.get_image_features(pixels, places, return_dict=True).pooler_output
        return features.reshape(-1, features.shape[-1]).to(norm.dtype)

    def shown(self, ids: Tensor, masks: forward.Masks) -> tuple[Tensor, dict[str, Tensor | None]]:
        """(embeddings [1, N, H], masks) of new prompt ids [N]; an image's ids have its features as
        embeddings. An image's tokens attend to each other both ways where the checkpoint was trained so."""
        soft = ids >= self._first
        number, offset = (ids - self._first) // SPACING, (ids - self._first) % SPACING
        encoder = self._model.model.encoder.language_model
        embedded = encoder.embed_tokens(torch.where(soft, 0, ids)[None]).clone()
        for known, features in self._known.values():
            here = soft & (number == known)
            embedded[0, here] = features[offset[here]]
        changed = dict(masks)
        if self._both_ways:
            group = torch.where(soft, number, -1)
            same = (group[:, None] == group[None, :]) & soft[:, None]
            for kind, mask in masks.items():
                assert mask is not None
                past = mask.shape[-1] - len(ids)
                seen = mask.clone()
                seen[..., past:] |= same
                changed[kind] = seen
        return embedded, changed
