"""How a checkpoint is prompted: its tokenizer, its profile, its chat template.

Reads no weights: a remote denoiser needs the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from model_runtime.diffusion.faults import ModelError, one_line
from model_runtime.loading import adapters
from model_runtime.loading.checkpoint import Checkpoint
from model_runtime.prompting import chat_template, profiles
from model_runtime.prompting.chat_prompt import Chat
from model_runtime.prompting.layout import Tokens


@dataclass(frozen=True)
class Prompting:
    tokens: Tokens
    chat: Chat | None  # None for a model that follows no instructions

    def within(self, context: int) -> Prompting:
        """The same with prompts of at most `context` tokens."""
        profile = self.tokens.profile
        if context >= profile.context:
            return self
        tokens = Tokens(self.tokens.tokenizer, replace(profile, context=context))
        return Prompting(tokens, Chat(tokens, self.chat.dialogue) if self.chat else None)


def load(found: Checkpoint, filler: int | None = None) -> Prompting:
    """`filler`: the id with which an adapter taught the model to end a hole. A folder that was exported with
    its adapter names that id itself. Raises ModelError."""
    tokenizer = _tokenizer(found.folder)
    if not chat_template.has_template(found.folder):
        if tokenizer.token_to_id("<gap>") != profiles.EMBEDDED.filler:
            raise ModelError(
                f"the model in {found.folder} has no chat template and was not trained by this project; "
                "add its chat_template.jinja, or set infill.model to an instruction-tuned one, such as "
                "google/diffusiongemma-26B-A4B-it"
            )
        return Prompting(Tokens(tokenizer, _embedded(tokenizer)), None)
    dialogue = chat_template.load(found.folder, tokenizer, found.config, found.generation)
    text = found.config.get("text_config") or {}
    added = json.loads((found.folder / "tokenizer.json").read_bytes()).get("added_tokens") or []
    unknown = range(tokenizer.get_vocab_size(), found.vocabulary)  # rows without a token
    profile = profiles.of_chat(
        generation=found.generation,
        canvas=found.config.get("canvas_length") or 256,
        bos=text.get("bos_token_id", 2),
        pad=text.get("pad_token_id", 0),
        special=frozenset([*(token["id"] for token in added if token.get("special")), *unknown]),
    )
    filler = adapters.filler(found.folder) if filler is None else filler
    if filler is not None:
        profile = profiles.with_filler(profile, filler)
    tokenizer.encode_special_tokens = True  # a special token's name in a document is plain text
    tokens = Tokens(tokenizer, profile)
    return Prompting(tokens, Chat(tokens, dialogue))


def _embedded(tokenizer: Tokenizer) -> profiles.Profile:
    suffix, middle = (tokenizer.token_to_id(name) for name in ("<suffix>", "<middle>"))
    if suffix is None or middle is None:
        return profiles.EMBEDDED
    return profiles.with_fim(profiles.EMBEDDED, suffix, middle)


def _tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing more exact
        raise ModelError(
            f"{folder / 'tokenizer.json'} is damaged: {one_line(error)}; copy it again"
        ) from None
