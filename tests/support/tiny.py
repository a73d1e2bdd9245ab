"""A tiny random DiffusionGemma with its own tokenizer, for mechanics: made in seconds, not trained."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import Cache, NoCache
from model_runtime.prompting.layout import Tokens
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.training.geometry import fresh_model
from model_runtime.training.vocabulary import train_tokenizer

SOURCE = Path(__file__).read_text() + Path(dataclasses.__file__ or __file__).read_text()
STOCK = dataclasses.replace(EMBEDDED, first_text_id=0)  # bans no id, as transformers' generate does
STEPS = dataclasses.replace(EMBEDDED, policy=dataclasses.replace(EMBEDDED.policy, max_steps=4))


@functools.cache
def tokenizer():
    return train_tokenizer([SOURCE], 600)


@functools.cache
def model():
    return fresh_model("tiny", tokenizer().get_vocab_size(), seed=0).eval()


def tokens() -> Tokens:
    return Tokens(tokenizer(), STEPS)


def denoiser(cache: Cache | None = None, profile=EMBEDDED) -> LocalDenoiser:
    return LocalDenoiser(model(), profile, cache or NoCache())


def write_folder(folder: Path) -> Path:
    """The model as a folder that `infill.model` can name."""
    model().save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder
