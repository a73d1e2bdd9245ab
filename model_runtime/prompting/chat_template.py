"""The ids that a model's chat template puts around a user's message.

The template is rendered with a mark in place of the message and split at the mark. Knows the files of a
checkpoint, not the message.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from model_runtime.diffusion.faults import ModelError, lacking, one_line

EMPTY_THOUGHT = "<|channel>thought\n<channel|>"
THOUGHT_END, TURN_END = "<channel|>", "<turn|>"
_MARK = "HERE THE USER SPEAKS"


@dataclass(frozen=True)
class Turns:
    """Ids before and after the user's text; the model's answer follows. `image`: index in `before` of the
    placeholder that an image's ids replace."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    image: int | None = None

    def prompt(self, said: Sequence[int], image: Sequence[int] = ()) -> list[int]:
        before = list(self.before)
        if self.image is not None:
            before[self.image : self.image + 1] = image
        return [*before, *said, *self.after]


@dataclass(frozen=True)
class Dialogue:
    plain: Turns  # the model's thought is empty, its answer comes at once
    thinking: Turns  # it thinks first
    plain_image: Turns | None  # None where it reads no images
    thinking_image: Turns | None
    thought_end: int | None  # None where it cannot think
    turn_end: int
    ends: frozenset[int]  # any of these ends an answer
    image_marks: tuple[int, int] = (0, 0)  # before and after an image's ids

    def turns(self, thinking: bool, image: bool) -> Turns | None:
        """None for an image where the model reads none."""
        if image:
            return self.thinking_image if thinking else self.plain_image
        return self.thinking if thinking else self.plain


def has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    try:
        return "chat_template" in json.loads((folder / "tokenizer_config.json").read_bytes())
    except (OSError, ValueError):
        return False


def load(folder: Path, tokenizer: Tokenizer, config: dict[str, Any], generation: dict[str, Any]) -> Dialogue:
    """`config`, `generation`: the checkpoint's config.json and generation_config.json. Raises ModelError."""
    if problem := lacking("the model's chat template", "transformers", "jinja2"):
        raise ModelError(problem)
    from transformers import AutoTokenizer  # only here: a model without a template needs no transformers

    try:
        renderer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a damaged file may raise anything in its parser
        raise ModelError(f"the tokenizer in {folder} cannot be loaded: {one_line(error)}") from error
    image_token: int = config.get("image_token_id") or -1

    def turns(thinking: bool, image: bool) -> Turns:
        said: Any = [{"type": "image"}, {"type": "text", "text": _MARK}] if image else _MARK
        rendered = renderer.apply_chat_template(
            [{"role": "user", "content": said}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=thinking,
        )
        before, mark, after = rendered.partition(_MARK)
        if not mark:
            raise ValueError("the template leaves out what the user says")
        if not thinking and not after.endswith(EMPTY_THOUGHT) and _id(tokenizer, THOUGHT_END) is not None:
            after += EMPTY_THOUGHT
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in (before, after)]
        place = ids[0].index(image_token) if image else None
        return Turns(tuple(ids[0]), tuple(ids[1]), place)

    try:
        plain, thinking = turns(False, False), turns(True, False)
    except Exception as error:  # a template is a program and may raise anything
        raise ModelError(
            f"the chat template in {folder} cannot be used: {one_line(error)}; download the model again"
        ) from error
    try:
        with_image = (turns(False, True), turns(True, True))
    except Exception:  # its tokenizer or template knows no images
        with_image = (None, None)
    turn_end = _id(tokenizer, TURN_END)
    if turn_end is None:
        raise ModelError(f"the tokenizer in {folder} has no {TURN_END}: it is not DiffusionGemma's")
    eos = generation.get("eos_token_id", [])
    return Dialogue(
        plain=plain,
        thinking=thinking,
        plain_image=with_image[0],
        thinking_image=with_image[1],
        thought_end=_id(tokenizer, THOUGHT_END),
        turn_end=turn_end,
        ends=frozenset([turn_end, *(eos if isinstance(eos, list) else [eos])]),
        image_marks=(config.get("boi_token_id", 0), config.get("eoi_token_id", 0)),
    )


def _id(tokenizer: Tokenizer, token: str) -> int | None:
    return tokenizer.token_to_id(token)
