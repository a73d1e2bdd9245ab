"""The lane that rewrites a region: a model sees the lines around the cursor and the last edits, and writes
the lines anew. What it changed becomes edits, one for each place.

Asks the worker; what leaves the machine, if its backend is a server, was freed of secrets by `clean`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Sequence
from difflib import SequenceMatcher

from msgspec.structs import replace

from lsp_server.config.file_filter import path_of
from lsp_server.config.settings import Settings
from lsp_server.infilling.canvas import normalize
from lsp_server.infilling.pipeline import Filler
from lsp_server.next_edit import filters
from lsp_server.next_edit.history import Edited, EditHistory
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.lines import line_at, line_end
from lsp_server.text.syntax import REGION_S, parse
from model_runtime.protocol import Done, Fixed, Infill, NextEdit, PastEdit, Refused, Slot

AROUND = 10  # lines on either side of the cursor's that are rewritten
SHOWN = 150  # lines on either side of the region that the model sees
TOKENS = 512  # of an answer, at most

INSTRUCT = "instruct"
_INSTRUCTION = (
    "The user has just made these edits:\n{edits}\nMake the edit in these lines that follows from them. If "
    "none does, repeat the lines as they are."
)

Clean = Callable[[Sequence[str]], Awaitable[Sequence[str]]]


async def suggest(
    snapshot: Snapshot, cursor: int, history: EditHistory, worker: Filler, settings: Settings, clean: Clean
) -> tuple[Edit, ...] | Refusal:
    """Edits in the lines around the cursor, the nearest first."""
    edits = [each for each in history.recent() if not each.pasted]
    if not edits:
        return Refusal("no-next-edit", "nothing follows from the last edits")
    if settings.next_edit_format != INSTRUCT and settings.backend != "openai":
        return Refusal("format", "infill.nextEdit.format needs infill.backend openai")
    region = _region(snapshot.text, cursor)
    answer = await worker.fill(_request(snapshot, cursor, region, await _told(edits, clean), settings, edits))
    if isinstance(answer, Refused):
        return Refusal(answer.reason, answer.message)
    return _edits(snapshot, cursor, region, answer, history)


def _region(text: str, cursor: int) -> Span:
    """AROUND whole lines on either side of the cursor's, without the last line end."""
    start = end = cursor
    for _ in range(AROUND + 1):
        start = max(0, line_at(text, start).start - 1)
        end = min(len(text), line_at(text, end).end + 1)
    start = line_at(text, start).start if start else 0
    first = line_at(text, cursor).start
    while text[start:first].count("\n") > AROUND:
        start = text.index("\n", start) + 1
    return Span(start, line_at(text, max(cursor, end - 1)).end)


async def _told(edits: Sequence[Edited], clean: Clean) -> tuple[PastEdit, ...]:
    """The edits without secrets; one that holds some tells nothing."""
    texts = ["\n".join(side) for each in edits for side in (each.before, each.after)]
    cleaned = list(await clean(texts))
    told = []
    for number, each in enumerate(edits):
        sides = slice(2 * number, 2 * number + 2)
        if cleaned[sides] == texts[sides]:
            path = posixpath.basename(path_of(each.uri).replace("\\", "/"))
            told.append(PastEdit(path, max(0, each.line) + 1, *texts[sides]))
    return tuple(told)


def _request(
    snapshot: Snapshot,
    cursor: int,
    region: Span,
    told: tuple[PastEdit, ...],
    settings: Settings,
    edits: Sequence[Edited],
) -> Infill:
    text = snapshot.text
    original = normalize(text[region.start : region.end])
    above = normalize(text[: region.start]).splitlines(keepends=True)[-SHOWN:]
    below = normalize(text[region.end :]).splitlines(keepends=True)[: SHOWN + 1]
    line = snapshot.first_line + text.count("\n", 0, region.start)
    request = Infill(
        id=0,  # the worker client numbers its requests
        document=f"{snapshot.uri}#next-edit",  # so that it displaces no completion
        prefix="".join(above),
        canvas=(Slot(TOKENS), Fixed("".join(below))),
        language=snapshot.language,
        deadline_ms=settings.deadline_ms,
        original=original,
        lines=2 * AROUND + 1 + filters.MOST_LINES,
    )
    if settings.next_edit_format == INSTRUCT:
        shown = "\n".join(f"{each.path}:{each.line}\n{_marked(each)}" for each in told)
        return replace(request, instruction=_INSTRUCTION.format(edits=shown))
    edit = NextEdit(
        format=settings.next_edit_format,  # pyright: ignore[reportArgumentType] (settings have checked it)
        path=posixpath.basename(path_of(snapshot.uri).replace("\\", "/")),
        line=line + 1,
        cursor=len(normalize(text[region.start : cursor])),
        earlier=_earlier(original, line, snapshot.uri, edits[-1]),
        edits=told,
    )
    return replace(request, next_edit=edit)


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


def _edits(
    snapshot: Snapshot, cursor: int, region: Span, answer: Done, history: EditHistory
) -> tuple[Edit, ...] | Refusal:
    """What was changed, place by place, as far as no filter objects."""
    text, end = snapshot.text, line_end(snapshot.text)
    old = text[region.start : region.end].splitlines(keepends=True)
    new = [line + end for line in answer.texts[0].split("\n")]
    if old and not old[-1].endswith(("\n", "\r")):
        new[-1] = new[-1].removesuffix(end)
    language = by_id(snapshot.language)
    syntax = parse(text, language, REGION_S) if language and not language.fences else None
    found, refusal = [], Refusal("same", "the model would change nothing here")
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        start = region.start + sum(map(len, old[:a]))
        span = Span(start, start + sum(map(len, old[a:b])))
        edit = Edit(
            snapshot.uri,
            snapshot.version,
            *_trimmed(text, span, "".join(new[c:d])),
            answer.confidence,
            answer.steps,
            0.0,
            ("region",),
        )
        objection = filters.objection(snapshot, edit, cursor, history, syntax)
        if objection:
            refusal = objection
        else:
            found.append(edit)
    return tuple(sorted(found, key=lambda each: abs(each.span.start - cursor))) or refusal


def _trimmed(text: str, span: Span, new: str) -> tuple[Span, str]:
    """The same change without what is alike at its ends."""
    old = text[span.start : span.end]
    shorter = min(len(old), len(new))
    left = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    room = shorter - left
    right = next((at for at in range(room) if old[-1 - at] != new[-1 - at]), room)
    return Span(span.start + left, span.end - right), new[left : len(new) - right]
