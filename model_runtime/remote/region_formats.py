"""How models that were made for next edits are asked to rewrite a region, and how their answers are read.

Each has a format of its own, and in another's it writes confident nonsense: so the user names it
(`infill.nextEdit.format`), and nothing is guessed. The marks of a format are cut out of an answer, and an
answer that still holds one is none. Knows no HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_runtime.protocol import Fixed, Infill, NextEdit, PastEdit
from model_runtime.remote import numbered_blocks

FILE_LINES = 300  # of the file that are shown
_FENCED = re.compile(r"\A\s*```[^\n]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_MARK = re.compile(
    r"<\|/?[a-z_]+(?:_\d+)?\|>|<\[(?:fim-|end\u2581)\w+\]>|^(?:<{7} CURRENT|={7}|>{7} UPDATED)$|<filename>",
    re.MULTILINE,
)
_END = "<[end\u2581of\u2581sentence]>"


@dataclass(frozen=True, slots=True)
class Format:
    path: str  # of the endpoint
    cursor: str  # marks the cursor in the region
    stop: tuple[str, ...]
    nothing: str = ""  # an answer that says that nothing is to be changed


FORMATS = {
    "sweep": Format("/v1/completions", "<|cursor|>", ("<|file_sep|>", "<|endoftext|>")),
    "zeta-2": Format("/v1/completions", "<|user_cursor|>", (">>>>>>> UPDATED",), "NO_EDITS"),
    "zeta-2.1": Format("/v1/completions", "<|user_cursor|>", (_END,)),
    "mercury": Format("/v1/edit/completions", "<|cursor|>", ()),
}


def holds_mark(request: Infill) -> bool:
    """Whether the text itself holds a mark, which a model could not tell from one of the format."""
    edit = request.next_edit
    texts = [request.prefix, request.original, _after(request)]
    texts += [text for each in (edit.edits if edit else ()) for text in (each.before, each.after)]
    return any(_MARK.search(text) for text in texts)


def body(request: Infill, edit: NextEdit, model: str, tokens: int) -> dict[str, Any]:
    """The request for a server that serves a model with the edit's format."""
    form = FORMATS[edit.format]
    region = request.original[: edit.cursor] + form.cursor + request.original[edit.cursor :]
    asked: dict[str, Any] = {"model": model, "max_tokens": tokens, "stream": edit.format != "mercury"}
    if edit.format == "mercury":
        return asked | {"messages": [{"role": "user", "content": _mercury(request, edit, region)}]}
    if edit.format == "sweep":
        prompt = _sweep(request, edit, region)
    elif edit.format == "zeta-2":
        prompt = _zeta(request, edit, f"<<<<<<< CURRENT\n{region}\n=======")
    else:
        prompt = _zeta(request, edit, numbered_blocks.marked(request.original, edit.cursor, form.cursor))
    return asked | {"prompt": prompt, "temperature": 0.0, "stop": list(form.stop)}


def read(answer: str, edit: NextEdit, region: str) -> str:
    """The region's new text; as it is where the model would change nothing, or wrote something unusable."""
    form = FORMATS[edit.format]
    for stop in form.stop:
        answer = answer.partition(stop)[0]
    if fenced := _FENCED.match(answer) if edit.format == "mercury" else None:
        answer = fenced[1]
    answer = answer.replace(form.cursor, "")
    if edit.format == "zeta-2.1":
        new = numbered_blocks.read(answer, region)
        return new if new.strip() and not _MARK.search(new) else region
    answer = answer.removesuffix("\n")
    unusable = not answer.strip() or _MARK.search(answer)
    if unusable or (form.nothing and answer.strip().startswith(form.nothing)):
        return region
    return answer + "\n" * region.endswith("\n")


def _sweep(request: Infill, edit: NextEdit, region: str) -> str:
    place = f"{edit.path}:{edit.line}:{edit.line + request.original.count(chr(10))}"
    parts = [f"<|file_sep|>{edit.path}\n{_file(request)}"]
    for each in edit.edits:
        end = each.line + max(0, each.after.count("\n"))
        parts.append(
            f"<|file_sep|>{each.path}:{each.line}:{end}\noriginal:\n{each.before}\nupdated:\n{each.after}"
        )
    parts.append(f"<|file_sep|>original/{place}\n{edit.earlier}")
    parts.append(f"<|file_sep|>current/{place}\n{region}")
    return "\n".join([*parts, f"<|file_sep|>updated/{place}\n"])


def _zeta(request: Infill, edit: NextEdit, region: str) -> str:
    before, after = _around(request)
    after = after if edit.format == "zeta-2.1" else "\n" + after  # there the line end is the region's
    after += "\n" * (not after.endswith("\n"))
    history = f"<filename>edit_history\n{_history(edit.edits)}\n\n" if edit.edits else ""
    return (
        f"<[fim-suffix]>{after}<[fim-prefix]>{history}<filename>{edit.path}\n{before}{region}\n<[fim-middle]>"
    )


def _mercury(request: Infill, edit: NextEdit, region: str) -> str:
    before, after = _around(request)
    return (
        "<|recently_viewed_code_snippets|>\n\n<|/recently_viewed_code_snippets|>\n\n"
        f"<|current_file_content|>\ncurrent_file_path: {edit.path}\n{before}<|code_to_edit|>\n{region}\n"
        f"<|/code_to_edit|>\n{after}<|/current_file_content|>\n\n"
        f"<|edit_diff_history|>\n{_history(edit.edits)}\n<|/edit_diff_history|>"
    )


def _history(edits: Sequence[PastEdit]) -> str:
    """The edits as unified diffs, the oldest first."""
    return "\n".join(_diff(each) for each in edits)


def _diff(edit: PastEdit) -> str:
    old, new = (text.split("\n") if text else [] for text in (edit.before, edit.after))
    head = f"--- a/{edit.path}\n+++ b/{edit.path}\n@@ -{edit.line},{len(old)} +{edit.line},{len(new)} @@"
    return "\n".join([head, *(f"-{line}" for line in old), *(f"+{line}" for line in new)])


def _file(request: Infill) -> str:
    before, after = _around(request)
    return before + request.original + "\n" + after


def _around(request: Infill) -> tuple[str, str]:
    """The lines before and after the region, each with its line end, as many as are shown."""
    half = FILE_LINES // 2
    above, below = (text.splitlines(keepends=True) for text in (request.prefix, _after(request)))
    return "".join(above[-half:]), "".join(below[:half])


def _after(request: Infill) -> str:
    return "".join(piece.text for piece in request.canvas if isinstance(piece, Fixed)).removeprefix("\n")
