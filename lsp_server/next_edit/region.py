"""Rewriting a region: a model sees the lines around a place and the last edits, and writes the lines anew.

At the cursor, or at a problem that the newest edit has brought about, it is the lane that asks a model, and
what it changed becomes suggestions, one for each place. At a diagnostic it fixes what is wrong there. Asks
the worker; what leaves the machine, if its backend is a server, was freed of secrets by `clean`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lsp_server.actions.actions import Diagnostic
from lsp_server.config.settings import INSTRUCT, Settings
from lsp_server.infilling import postprocess, validation
from lsp_server.infilling.canvas import normalize
from lsp_server.infilling.pipeline import Filler
from lsp_server.next_edit import consequences, filters, region_request
from lsp_server.next_edit.history import Edited, EditHistory
from lsp_server.next_edit.region_request import Clean
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.lines import line_at, line_end
from lsp_server.text.syntax import REGION_S, Syntax, parse
from model_runtime.protocol import Done, Refused

CHARS = 8_000  # of a region, at most; writing more anew would take too long

_FOLLOW = "Make the edit in these lines that follows from them. If none does, repeat the lines as they are."
_FIX = "There is a problem in the line `{line}`: {message}\nFix it, and leave all else as it is."
_SAME = "the model would change nothing here"


async def suggest(
    snapshot: Snapshot,
    cursor: int,
    history: EditHistory,
    worker: Filler,
    settings: Settings,
    clean: Clean,
    problems: Sequence[Diagnostic] = (),
) -> tuple[Edit, ...] | Refusal:
    """What follows from the last edits in the lines around the cursor, or out of these around a problem that
    the newest edit has brought about; the nearest first, as far as no filter objects. `problems`: all that
    are known in the snapshot."""
    edits = await region_request.tellable(_meant(history), clean)
    if not edits:
        return Refusal("no-next-edit", "nothing follows from the last edits")
    at, asked = cursor, _FOLLOW
    if problem := consequences.caused(snapshot, cursor, edits[-1], problems):
        asked = _to_fix(snapshot, problem.span.start, (await clean([problem.message]))[0])
        near = region_request.around(snapshot.text, cursor)
        at = cursor if near.start <= problem.span.start <= near.end else problem.span.start
    whole = await _rewritten(snapshot, at, edits, asked, worker, settings)
    if isinstance(whole, Refusal):
        return whole
    syntax, found, refusal = _parse(snapshot), [], Refusal("same", _SAME)
    for hunk in validation.hunks(snapshot, whole):
        edit = _trimmed(snapshot.text, hunk)
        if objection := filters.objection(snapshot, edit, cursor, history, syntax):
            refusal = objection
        else:
            found.append(edit)
    return tuple(sorted(found, key=lambda each: abs(each.span.start - cursor))) or refusal


def can_fix(settings: Settings, history: EditHistory) -> bool:
    """Whether there is a model that rewrites regions and is told anything: what the problem is, or edits that
    it may come from."""
    return settings.rewrites_regions and (settings.next_edit_format == INSTRUCT or bool(_meant(history)))


async def fix(
    snapshot: Snapshot,
    at: int,
    message: str,
    history: EditHistory,
    worker: Filler,
    settings: Settings,
    clean: Clean,
    context: tuple[str, ...] = (),
) -> Edit | Refusal:
    """One edit for the lines around a place, where a diagnostic says `message`. A model that follows
    instructions is told it, and shown `context`. The user has asked for it, so of the filters only the parse
    counts."""
    asked, edits = _to_fix(snapshot, at, message), await region_request.tellable(_meant(history), clean)
    whole = await _rewritten(snapshot, at, edits, asked, worker, settings, context)
    if isinstance(whole, Refusal):
        return whole
    edit = _trimmed(snapshot.text, whole)
    return filters.worse(edit, _parse(snapshot)) or edit


def _to_fix(snapshot: Snapshot, at: int, message: str) -> str:
    line = line_at(snapshot.text, at)
    return _FIX.format(line=snapshot.text[line.start : line.end].strip(), message=message.strip())


def _meant(history: EditHistory) -> list[Edited]:
    """The last edits that say what the user is at."""
    return [each for each in history.recent() if not each.pasted]


async def _rewritten(
    snapshot: Snapshot,
    at: int,
    edits: Sequence[Edited],
    asked: str,
    worker: Filler,
    settings: Settings,
    context: tuple[str, ...] = (),
) -> Edit | Refusal:
    """The lines around a place as the model would have them."""
    region = region_request.around(snapshot.text, at)
    if region.end - region.start > CHARS:
        return Refusal("too-long", "the lines here are longer than what the model can write at once")
    request = region_request.request(snapshot, at, region, edits, asked, settings, context)
    answer = await worker.fill(request)
    if isinstance(answer, Refused):
        return Refusal(answer.reason, answer.message)
    return _whole(snapshot, region, answer)


def _whole(snapshot: Snapshot, region: Span, answer: Done) -> Edit | Refusal:
    """An answer as one edit of the region."""
    text = normalize(answer.texts[0])
    if not text.strip():
        return Refusal("empty", "the model wrote nothing")
    if postprocess.without_sentinels(text, snapshot.text) != text:
        return Refusal("special", "the model wrote a mark that is no text")
    if refusal := validation.unprintable(text):
        return refusal
    text = text.replace("\n", line_end(snapshot.text))
    if text == snapshot.text[region.start : region.end]:
        return Refusal("same", _SAME)
    return Edit(
        snapshot.uri,
        snapshot.version,
        region,
        text,
        answer.confidence,
        answer.steps,
        0.0,
        ("region",),
    )


def _parse(snapshot: Snapshot) -> Syntax | None:
    language = by_id(snapshot.language)
    return parse(snapshot.text, language, REGION_S) if language and not language.fences else None


def _trimmed(text: str, edit: Edit) -> Edit:
    """The same change without what is alike at its ends."""
    span, new = edit.span, edit.text
    old = text[span.start : span.end]
    shorter = min(len(old), len(new))
    left = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    room = shorter - left
    right = next((at for at in range(room) if old[-1 - at] != new[-1 - at]), room)
    return replace(edit, span=Span(span.start + left, span.end - right), text=new[left : len(new) - right])
