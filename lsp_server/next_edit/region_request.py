"""What a model that rewrites regions is asked: the lines around a place, the lines around those, and the last
edits. Sends nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from lsp_server.config.file_filter import path_of
from lsp_server.config.settings import INSTRUCT, Settings
from lsp_server.infilling.canvas import normalize
from lsp_server.next_edit import filters
from lsp_server.next_edit.history import Edited
from lsp_server.text.document import Snapshot, Span
from lsp_server.text.lines import line_at
from model_runtime.protocol import Fixed, Infill, NextEdit, PastEdit, Slot

AROUND = 10  # lines on either side of the place's that are rewritten
SHOWN = 150  # lines on either side of the region that the model sees
CHARS_PER_TOKEN = 2  # at least, so that an answer has room for lines that grow
TOKENS = 512  # at least, that an answer may have

_EDITS = "The user has just made these edits:\n{edits}\n"

Clean = Callable[[Sequence[str]], Awaitable[Sequence[str]]]


async def tellable(edits: Sequence[Edited], clean: Clean) -> list[Edited]:
    """The edits that neither brought nor took a secret."""
    texts = ["\n".join(side) for each in edits for side in (each.before, each.after)]
    cleaned = list(await clean(texts))
    sides = [slice(at, at + 2) for at in range(0, len(texts), 2)]
    return [each for each, both in zip(edits, sides, strict=True) if cleaned[both] == texts[both]]


def request(
    snapshot: Snapshot,
    at: int,
    region: Span,
    edits: Sequence[Edited],
    asked: str,
    settings: Settings,
    context: tuple[str, ...] = (),
) -> Infill:
    """The request to rewrite the region around a place, after edits that are `tellable`. A model that follows
    instructions is told `asked` and shown `context`; one that was made for next edits goes by the edits."""
    text = snapshot.text
    above = normalize(text[: region.start]).splitlines(keepends=True)[-SHOWN:]
    below = normalize(text[region.end :]).splitlines(keepends=True)[: SHOWN + 1]
    infill = Infill(
        id=0,  # the worker client numbers its requests
        document=f"{snapshot.uri}#next-edit",  # so that it displaces no completion
        prefix="".join(above),
        canvas=(Slot(max(TOKENS, (region.end - region.start) // CHARS_PER_TOKEN)), Fixed("".join(below))),
        language=snapshot.language,
        deadline_ms=settings.deadline_ms,
        original=normalize(text[region.start : region.end]),
        lines=2 * AROUND + 1 + filters.MOST_LINES,
    )
    told = tuple(map(_told, edits))
    if settings.next_edit_format == INSTRUCT:
        shown = "\n".join(f"{each.path}:{each.line}\n{_marked(each)}" for each in told)
        instruction = (_EDITS.format(edits=shown) if shown else "") + asked
        return replace(infill, instruction=instruction, context=context)
    line = snapshot.first_line + text.count("\n", 0, region.start)
    edit = NextEdit(
        format=settings.next_edit_format,  # pyright: ignore[reportArgumentType] (settings have checked it)
        path=posixpath.basename(path_of(snapshot.uri).replace("\\", "/")),
        line=line + 1,
        cursor=len(normalize(text[region.start : at])),
        earlier=_earlier(infill.original, line, snapshot.uri, edits[-1]) if edits else infill.original,
        edits=told,
    )
    return replace(infill, next_edit=edit)


def around(text: str, at: int) -> Span:
    """AROUND whole lines on either side of a place's, without the last line end."""
    start = end = at
    for _ in range(AROUND + 1):
        start = max(0, line_at(text, start).start - 1)
        end = min(len(text), line_at(text, end).end + 1)
    start = line_at(text, start).start if start else 0
    first = line_at(text, at).start
    while text[start:first].count("\n") > AROUND:
        start = text.index("\n", start) + 1
    return Span(start, line_at(text, max(at, end - 1)).end)


def _told(edit: Edited) -> PastEdit:
    path = posixpath.basename(path_of(edit.uri).replace("\\", "/"))
    return PastEdit(path, max(0, edit.line) + 1, "\n".join(edit.before), "\n".join(edit.after))


def _earlier(region: str, first: int, uri: str, edit: Edited) -> str:
    """The region as it was before the newest edit, if that was in it."""
    lines = region.split("\n")
    at = edit.line - first
    if edit.uri == uri and at >= 0 and tuple(lines[at : at + len(edit.after)]) == edit.after:
        lines[at : at + len(edit.after)] = edit.before
    return "\n".join(lines)


def _marked(edit: PastEdit) -> str:
    sides = (("-", edit.before), ("+", edit.after))
    return "\n".join(f"{mark} {line}" for mark, text in sides if text for line in text.split("\n"))
