"""Text <-> ids: lays a request out as a prompt and canvas rows, and reads the holes back.

Pieces are tokenized one by one (whole lines for the prompt, then each canvas piece), so a prompt's
ids change only where its text does. Token ids never leave `model_runtime`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tokenizers import Tokenizer

from model_runtime.diffusion.interface import Row
from model_runtime.prompting.profiles import Profile
from model_runtime.protocol import Fixed, Infill, Slot

CHARACTERS_PER_TOKEN = 8  # text beyond so many characters per token of a budget is not tokenized
_WORD_PIECE = re.compile(r"[ \w]*\w")


class LayoutError(Exception):
    """The request does not fit the canvas; the message is for a person."""


@dataclass(frozen=True)
class Layout:
    """A request in ids. The canvas is head, slots with known ids `between` them, suffix."""

    prompt: list[int]
    head: list[int]
    slots: tuple[int, ...]  # most tokens of text in each
    between: tuple[list[int], ...]  # len(slots) - 1 pieces
    suffix: list[int]
    width: int  # most canvas tokens
    end: int  # pads a canvas after the end of the file
    typed: str = ""  # the start of a word that the hole must begin with (token healing)

    @property
    def single(self) -> bool:
        """There is one hole. Only then are there drafts, several lengths and a ranking."""
        return len(self.slots) == 1

    def riding(self, tokens: int) -> Layout:
        """The prompt's last `tokens` tokens pinned on the canvas instead."""
        cut = len(self.prompt) - tokens
        return replace(self, prompt=self.prompt[:cut], head=self.prompt[cut:] + self.head)

    def row(
        self,
        contents: Sequence[Sequence[int] | int],
        width: int,
        starts: frozenset[int] | None = None,
    ) -> Row:
        """A canvas of `width` tokens with each slot holding the given ids, or noise of that size."""
        ids, pinned = list(self.head), [True] * len(self.head)
        for content, after in zip(contents, [*self.between, self.suffix], strict=True):
            inside = [self.end] * content if isinstance(content, int) else list(content)
            ids += inside + list(after)
            pinned += [False] * len(inside) + [True] * len(after)
        ids, pinned = ids[:width], pinned[:width]
        padding = width - len(ids)
        draft = not any(isinstance(content, int) for content in contents)
        return Row(ids + [self.end] * padding, pinned + [True] * padding, draft, starts)

    def fixed_width(self, sizes: Sequence[int]) -> int:
        """The canvas for slots of these sizes: as short as it may be, at most `width`."""
        known = len(self.head) + sum(map(len, self.between))
        return min(self.width, known + sum(sizes) + len(self.suffix))


class Tokens:
    def __init__(self, tokenizer: Tokenizer, profile: Profile) -> None:
        self.tokenizer = tokenizer
        self.profile = profile

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids if text else []

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def lay(self, request: Infill) -> Layout:
        """Prompt and canvas within the profile's budgets: a long prefix loses its oldest lines, a
        long head moves to the prompt, the suffix takes the room that is left. Raises LayoutError."""
        p = self.profile
        first, last = slot_bounds(request.canvas)
        head = self.encode(text_of(request.canvas[:first]))
        typed, head = self._heal(head) if p.heal else ("", head)
        moved = max(0, len(head) - p.head)
        slots, between = self._holes(request.canvas[first : last + 1])
        room = p.canvas - len(head) + moved - sum(slots) - len(slots) - sum(map(len, between))
        if room < p.suffix:
            raise LayoutError(
                f"the holes and the text between them need {p.suffix - room} tokens more "
                "than this model's canvas has room for"
            )
        after = text_of(request.canvas[last + 1 :])
        suffix = [*self.encode(after[: p.canvas * CHARACTERS_PER_TOKEN]), p.end]
        return Layout(
            prompt=self._prompt(request.prefix, room=p.context - moved) + head[:moved],
            head=head[moved:],
            slots=slots,
            between=between,
            suffix=suffix[: p.canvas],
            width=p.canvas,
            end=p.end,
            typed=typed,
        )

    def question(self, layout: Layout) -> tuple[Sequence[int], Sequence[int]]:
        """(prompt, head) that the causal encoder goes on from, with what follows in sight if it learnt so."""
        if order := self.profile.fim:
            return order.question(layout.prompt, layout.head, layout.suffix)
        return layout.prompt, layout.head

    @functools.lru_cache(maxsize=256)  # noqa: B019 (lives as long as the worker)
    def starts(self, typed: str) -> frozenset[int]:
        """Tokens that a text beginning with `typed` may begin with."""
        texts = (
            (i, self.decode([i])) for i in range(self.profile.first_text_id, self.tokenizer.get_vocab_size())
        )
        return frozenset(i for i, t in texts if t and (t.startswith(typed) or typed.startswith(t)))

    def _heal(self, head: list[int]) -> tuple[str, list[int]]:
        """(the last token's text, the ids before it) where the head ends inside a word."""
        if not head or not _WORD_PIECE.fullmatch(typed := self.decode(head[-1:])):
            return "", head
        return typed, head[:-1]

    def _holes(self, pieces: Sequence[Fixed | Slot]) -> tuple[tuple[int, ...], tuple[list[int], ...]]:
        """Slot sizes, and the known ids between each two."""
        slots: list[int] = []
        between: list[list[int]] = []
        for piece in pieces:
            if isinstance(piece, Slot):
                if len(between) < len(slots):
                    between.append([])
                slots.append(min(piece.max_tokens, self.profile.slot))
            elif len(between) < len(slots):
                between.append(self.encode(piece.text))
            else:
                between[-1] += self.encode(piece.text)
        return tuple(slots), tuple(between)

    def _prompt(self, prefix: str, room: int) -> list[int]:
        """Beginning-of-text and the newest lines of `prefix`; the cut moves in `context_step`s."""
        p = self.profile
        ids = self.encode(_tail(prefix, p.context * CHARACTERS_PER_TOKEN))
        room -= len(p.bos)
        if len(ids) > room:
            excess = len(ids) - room
            start = -(-excess // p.context_step) * p.context_step
            newline = self.encode("\n")[0]
            try:
                start = ids.index(newline, start) + 1
            except ValueError:
                start = excess
            ids = ids[start:]
        return [*p.bos, *ids]


def text_of(pieces: Sequence[Fixed | Slot]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Fixed))


def _tail(text: str, characters: int) -> str:
    """The last whole lines of `text`, in blocks so that the cut is stable as the text grows."""
    if len(text) <= characters:
        return text
    block = characters // 4
    start = -(-(len(text) - characters) // block) * block
    newline = text.find("\n", start)
    return text[newline + 1 :] if newline >= 0 else text[-characters:]


def slot_bounds(pieces: Sequence[Fixed | Slot]) -> tuple[int, int]:
    where = [i for i, piece in enumerate(pieces) if isinstance(piece, Slot)]
    if not where:
        raise LayoutError("the canvas has no hole")
    if any(piece.max_tokens < 1 for piece in pieces if isinstance(piece, Slot)):
        raise LayoutError("a hole must have room for at least one token")
    return where[0], where[-1]
