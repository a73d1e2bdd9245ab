"""Turns a request into a chat prompt for a model that follows instructions, and into the start of its answer.

A hole becomes an answer that has already begun. The user's turn shows the file with the hole. The model's
turn opens with the lines before the cursor's line. Head, hole, suffix and the end of the turn are on the
canvas.

A keystroke should change only the end of the prompt, so that the cached part stays valid. Therefore the
user's turn shows the file only up to a multiple of `BLOCK` lines; the lines from there to the cursor open the
answer. Text from other files is renewed only when the shown part of the file changes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_fields

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.interface import DenoiseError, Denoiser, Seeing
from model_runtime.prompting.chat_template import Dialogue
from model_runtime.prompting.layout import Layout, Tokens, slot_bounds, text_of
from model_runtime.protocol import Infill

MARK = "<<HOLE>>"
BLOCK = 16  # lines
OPENING = 4  # the answer opens with at least so many lines, where there are as many
REPEATED = 4  # at most so many lines after the hole end the answer
CONTEXT_CHARS = 6_000  # of other files
REMEMBERED = 32  # documents
GROWTH, SLACK = 2, 128  # a rewrite has at most GROWTH times the tokens of the old text, plus SLACK
_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """A prompt that ends where a free answer begins."""

    prompt: list[int]
    opening: list[int]  # goes before the answer, once the model has thought
    old: list[int]  # the text to be rewritten: an answer that a denoiser may start from
    closing: list[int]  # what ends an answer
    fence: str
    most: int  # tokens
    thought_end: int | None  # id that ends the model's thought; None where it does not think first


class Chat:
    def __init__(self, tokens: Tokens, dialogue: Dialogue) -> None:
        self.tokens = tokens
        self.dialogue = dialogue
        self._contexts: OrderedDict[str, tuple[str, tuple[str, ...]]] = OrderedDict()

    def lay(self, request: Infill) -> Layout:
        """Prompt and canvas for holes. Raises layout.LayoutError."""
        first, last = slot_bounds(request.canvas)
        after = text_of(request.canvas[last + 1 :])
        tail, _, below = after.partition("\n")
        shown, opening = split_lines(request.prefix)
        head = text_of(request.canvas[:first])
        repeated = "".join(below.splitlines(keepends=True)[:REPEATED])
        fence = fence_for(request.prefix + head + after)
        said = (
            f"Complete the {_name(request.language)}file at {MARK}. Answer with one code block that holds "
            "the missing text and a few of the lines that follow it, and nothing else.\n",
            self._context(request, shown),
            f"\n{fence}{request.language}\n",
            shown,
            f"{MARK}\n{below.rstrip()}\n{fence}\n{request.task}",
        )
        prompt = self.dialogue.plain.prompt(self._whole_lines(said)[-self.tokens.profile.context :])
        base = self.tokens.lay(replace_fields(request, prefix=""))
        opened = self.tokens.encode(f"{fence}{request.language}\n") + self.tokens.encode(opening)
        moved = base.prompt[len(self.tokens.profile.bos) :]  # of a head that is too long for the canvas
        room = base.width - len(base.head) - sum(base.slots) - len(base.slots) - sum(map(len, base.between))
        ending = [*self.tokens.encode(fence), self.dialogue.turn_end]
        known = self.tokens.encode(tail + "\n" + repeated)[: max(0, room - len(ending))]
        return replace(base, prompt=[*prompt, *opened, *moved], suffix=[*known, *ending])

    def ask(self, request: Infill, denoiser: Denoiser) -> Question:
        """The prompt for a rewrite with an instruction. Raises Unfillable where it is too long, or has an
        image that this model or backend cannot read."""
        first, last = slot_bounds(request.canvas)
        head, after = text_of(request.canvas[:first]), text_of(request.canvas[last + 1 :])
        fence = fence_for(request.prefix + request.original + after)
        indent = head if not head.strip() else ""
        said = (
            f"Rewrite a part of this {_name(request.language)}file.\n",
            self._context(request, request.prefix),
            f"\nThe file, with {MARK} in place of that part:\n{fence}{request.language}\n",
            request.prefix,
            f"{head}{MARK}{after.rstrip()}\n{fence}\n"
            f"The part:\n{fence}{request.language}\n{indent}{request.original}\n{fence}\n"
            f"What is to be changed: {request.instruction}\n"
            "Answer with one code block that holds the new text of that part with its indentation, "
            "and nothing else.",
        )
        thinking = request.thinking and self.dialogue.thought_end is not None
        turns = self.dialogue.turns(thinking, bool(request.image))
        if turns is None:
            raise Unfillable("invalid", "this model reads no images")
        image: list[int] = []
        if request.image:
            if not isinstance(denoiser, Seeing):
                raise Unfillable(
                    "invalid",
                    "the backend passes no images on; leave the image out, or set infill.backend to openai, "
                    "whose chat takes it",
                )
            try:
                before, behind = self.dialogue.image_marks
                image = [before, *denoiser.see(request.image), behind]
            except DenoiseError as error:
                raise Unfillable("invalid", str(error)) from None
        shown = self._whole_lines(said)
        if len(shown) > (most := self.tokens.profile.context):
            raise Unfillable("invalid", f"this takes {len(shown)} tokens, the model has room for {most}")
        prompt = turns.prompt(shown, image)
        old = self.tokens.encode(request.original)
        return Question(
            prompt=prompt,
            opening=self.tokens.encode(f"{fence}{request.language}\n") + self.tokens.encode(head),
            old=old,
            closing=[*self.tokens.encode(f"\n{fence}"), self.dialogue.turn_end],
            fence=fence,
            most=GROWTH * len(old) + SLACK,
            thought_end=self.dialogue.thought_end if thinking else None,
        )

    def _whole_lines(self, said: tuple[str, str, str, str, str]) -> list[int]:
        """Ids of (instruction, other files, fence, lines shown, the rest). A prompt that is too long loses
        the other files first, then the older half of the lines, again and again; halves, so that the cut
        rarely moves. The rest is never cut, so the result may still be too long."""
        begin, context, fence, shown, rest = said
        while True:
            ids = self.tokens.encode((begin + context + fence + shown + rest).strip())
            if len(ids) <= self.tokens.profile.context or not (context or shown):
                return ids
            if not context:
                lines = shown.splitlines(keepends=True)
                shown = "".join(lines[-(len(lines) // 2) :]) if len(lines) > 1 else ""
            context = ""

    def _context(self, request: Infill, shown: str) -> str:
        """Text of other files, as it was when the shown part of the document last changed."""
        if not request.context:
            return ""
        known = self._contexts.get(request.document)
        if known is None or known[0] != shown:
            known = (shown, request.context)
            self._contexts[request.document] = known
            while len(self._contexts) > REMEMBERED:
                self._contexts.popitem(last=False)
        kept, room = [], CONTEXT_CHARS
        for piece in reversed(known[1]):
            if (room := room - len(piece)) >= 0:
                kept.append(piece)
        if not kept:
            return ""
        text = "".join(reversed(kept))
        fence = fence_for(text)
        return f"\nFrom other files:\n{fence}\n{text.rstrip()}\n{fence}\n"


def split_lines(prefix: str) -> tuple[str, str]:
    """(lines that are shown in the user's turn, lines that open the answer)."""
    lines = prefix.splitlines(keepends=True)
    boundary = max(0, len(lines) - OPENING) // BLOCK * BLOCK
    return "".join(lines[:boundary]), "".join(lines[boundary:])


def fence_for(text: str) -> str:
    """A code fence longer than any in the text."""
    return "`" * max([3, *(len(found) + 1 for found in _FENCE.findall(text))])


def without_fence(text: str, fence: str) -> tuple[str, bool]:
    """(the text up to a closing fence, whether there was one)."""
    match = re.search(rf"^ {{0,3}}{fence}`*[ \t]*$", text, re.MULTILINE)
    return (text[: match.start()], True) if match else (text, False)


def _name(language: str) -> str:
    return f"{language} " if language else ""


def first_of(ids: Sequence[int], wanted: frozenset[int]) -> int:
    """Where the first of the wanted ids is; the length where there is none."""
    return next((at for at, token in enumerate(ids) if token in wanted), len(ids))
