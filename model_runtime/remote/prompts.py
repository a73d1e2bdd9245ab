"""How a model that only writes text is asked to fill holes, and how its answer is read.

A completion endpoint gets the text before and after a hole. A chat gets the document with marked holes and is
told to answer in code blocks. It does not always do so: an answer is read leniently. A sentence before it is
left out, and so are lines that stand before the hole. Text after the hole that it repeats is left in; the
language server removes it.

Knows no HTTP and no tokens; an image is passed on as bytes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any

from model_runtime.protocol import Fixed, Infill, Slot

REPEATED = 3  # fewer characters from before the hole may be in the answer by chance
MOST_REPEATED = 200  # lines before the hole that an answer is looked through for
# First bytes of a file -> its MIME subtype.
_IMAGES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_FENCE_IN_LINE = re.compile(r"\A\s*(`{3,})(?:\w+ )?([^`\n]+)\1\s*\Z")
_SPAN = re.compile(r"\A\s*`([^`\n]+)`\s*\Z")
_PREAMBLE = re.compile(
    r"\A\s*(?:(?:sure|certainly|of course|okay|ok|here(?:'s|\u2019s| is| are)|the (?:missing|completed))\b"
    r"[^\n]*[:.!][ \t]*(?:\n\s*?(?=[^\n]*\S)|\Z))+",
    re.IGNORECASE,
)
_THOUGHT = re.compile(r"\A\s*<(think|thought)>.*?(?:</\1>|\Z)", re.DOTALL)

_FILL = (
    "You complete source code and texts. In the user's file, each marker {mark} stands for missing text, "
    "which may be part of a line or several lines. Answer with exactly the text that belongs in the place of "
    "the marker, in one code block, and nothing else: no text that stands before or after the marker, no "
    "explanation."
)
_FILL_ALL = (
    "You complete source code and texts. In the user's file, the markers {marks} stand for missing text. "
    "Answer with {count} code blocks, one for each marker, in their order: exactly the text that belongs in "
    "the place of the marker, and nothing else."
)
_REWRITE = (
    "You change source code and texts as the user asks. In the user's file, the marker {mark} stands for the "
    "lines that are to be changed, which follow below the file. Answer with their new text in one code "
    "block, indented as it is now, and nothing else."
)


def slots(request: Infill) -> list[Slot]:
    return [piece for piece in request.canvas if isinstance(piece, Slot)]


def around(request: Infill, hole: int) -> tuple[str, str]:
    """Text before and after one hole, the other holes left empty. Text of other files comes first."""
    at = [i for i, piece in enumerate(request.canvas) if isinstance(piece, Slot)][hole]
    before = "".join(p.text for p in request.canvas[:at] if isinstance(p, Fixed))
    after = "".join(p.text for p in request.canvas[at:] if isinstance(p, Fixed))
    return "".join(request.context) + request.prefix + before, after


def before(request: Infill, hole: int) -> str:
    """The text before a hole in its file."""
    return around(request, hole)[0].removeprefix("".join(request.context))


def messages(request: Infill) -> list[dict[str, Any]]:
    """For a chat: a request for all holes at once, or for a rewrite with its image."""
    count = len(slots(request))
    known = request.prefix + "".join(p.text for p in request.canvas if isinstance(p, Fixed))
    marks = [_mark(i + 1 if count > 1 else 0, known) for i in range(count)]
    waiting = iter(marks)
    text = request.prefix + "".join(
        piece.text if isinstance(piece, Fixed) else next(waiting) for piece in request.canvas
    )
    parts = [f"The {request.language or 'text'} file:\n{_block(text, request.language)}"]
    if request.context:
        parts.insert(0, f"From other files:\n{_block(''.join(request.context), request.language)}")
    if request.task:
        parts.append(request.task)
    if request.instruction:
        head = before(request, 0).rpartition("\n")[2]
        system = _REWRITE.format(mark=marks[0])
        parts.append(f"The lines at the marker:\n{_block(head + request.original, request.language)}")
        parts.append(f"What is to become of them: {request.instruction}")
    elif count > 1:
        system = _FILL_ALL.format(marks=", ".join(marks), count=count)
    else:
        system = _FILL.format(mark=marks[0])
    said: Any = "\n\n".join(parts)
    if request.image:
        shown = {"type": "image_url", "image_url": {"url": data_url(request.image)}}
        said = [{"type": "text", "text": said}, shown]
    return [{"role": "system", "content": system}, {"role": "user", "content": said}]


def data_url(image: bytes) -> str:
    kind = next((kind for start, kind in _IMAGES.items() if image.startswith(start)), "png")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def read(answer: str, befores: Sequence[str]) -> list[str]:
    """One text for each hole, empty where the answer has none. `befores`: for each, the text before it."""
    answer = _THOUGHT.sub("", answer)
    found = [match[2].removesuffix("\n") for match in _FENCE.finditer(answer)]
    if not found and len(befores) == 1:
        if quoted := _FENCE_IN_LINE.match(answer) or _SPAN.match(answer):
            found = [quoted[quoted.lastindex or 0].strip()]
        elif "```" not in answer:
            found = [_PREAMBLE.sub("", answer).strip("\n")]
    found += [""] * len(befores)
    return [_without_before(text, before) for text, before in zip(found, befores, strict=False)]


def _without_before(text: str, before: str) -> str:
    """Answers often repeat the lines before the hole, or its line from the beginning."""
    *above, head = before.split("\n")[-MOST_REPEATED:]
    first = text.partition("\n")[0]
    for at, line in enumerate(above):
        if line != first:
            continue
        repeated = "\n".join(above[at:]) + "\n"
        if len(repeated.strip()) >= REPEATED and text.startswith(repeated):
            return _without_head(text[len(repeated) :], head)
    return _without_head(text, head)


def _without_head(text: str, head: str) -> str:
    """Answers often repeat the whole line from its beginning."""
    if not head.strip():
        return text.removeprefix(head)
    if len(head.strip()) >= REPEATED and text.lstrip(" \t").startswith(head.lstrip()):
        return text.lstrip(" \t").removeprefix(head.lstrip())
    return text


def _mark(number: int, text: str) -> str:
    """A marker that does not occur in the text."""
    mark = f"<HOLE_{number}>" if number else "<HOLE>"
    while mark in text:
        mark = f"<_{mark[1:]}"
    return mark


def _block(text: str, language: str) -> str:
    """A code block, in a fence longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    newline = "" if text.endswith("\n") else "\n"
    return f"{fence}{language}\n{text}{newline}{fence}"
