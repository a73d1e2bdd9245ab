"""What is kept of a model's text: no leaked tokens, no loops, nothing that the document has already.

Works on text with \\n line ends, which it only shortens or reindents. Knows no grammar.
"""

from __future__ import annotations

import re

from lsp_server.text.lines import CLOSERS, indentation, is_word, open_brackets

# Special tokens of models, except those that are tags of HTML or SVG too, such as `<s>` or `<mask>`.
_SENTINEL = re.compile(
    r"<\|[^<>|\n]{1,40}\|>|<\|?(?:bos|eos|pad|unk|fill|gap|turn|channel|fim_\w+|(?:start|end)_of_\w+"
    r"|endoftext|file_sep|repo_name)\|?>|<(?:unused\d+|PRE|SUF|MID|EOT)>|<(?:turn|channel)\||\[MASK\]"
    r"|[\u2581\u0120\u010a]"
)
_BEGINS = re.compile(r"bos|mid|start|turn|channel", re.IGNORECASE)  # tokens that stand before an answer
_LOOP = re.compile(r"(.{1,80}?)\1{3,}\Z", re.DOTALL)
_STEPS = (2, 3, 4, 8)  # columns by which lines are indented further
SHORT = 2  # characters
_LOOP_CHARS = 16  # shorter repetitions occur in real code, as in `0, 0, 0, 0`


def without_sentinels(text: str, document: str) -> str:
    """Up to the first special token that the document does not hold itself. Tokens that begin an answer are
    skipped at its beginning."""
    start = 0
    for match in _SENTINEL.finditer(text):
        if match[0] in document:
            continue
        if text[start : match.start()].strip() or not _BEGINS.search(match[0]):
            return text[start : match.start()]
        start = match.end()
    return text[start:]


def without_loop(text: str) -> str:
    """If the text ends in a piece repeated four times or more, the text with that piece once."""
    found = _LOOP.search(text[-2_000:])
    if not found or len(found[0]) < _LOOP_CHARS or not any(map(is_word, found[1])):
        return text
    return text[: len(text) - len(found[0]) + len(found[1])]


def without_overlap(text: str, after: str) -> str:
    """The text without its longest tail that `after`, the text behind the cursor, begins with.

    A tail that starts inside a word is kept, and so is one that closes a bracket or quote that the text
    itself opened: with `)` after the cursor, `f(x)` is kept and `f(x))` becomes `f(x)`.
    """
    for start in range(max(0, len(text) - len(after)), len(text)):
        kept, tail = text[:start], text[start:]
        if not after.startswith(tail):
            continue
        inside_word = bool(kept) and is_word(kept[-1]) and is_word(tail[0])
        own_quote = any(tail.count(quote) % 2 and kept.count(quote) % 2 for quote in "'\"`")
        if not inside_word and not own_quote and len(open_brackets(kept)) <= len(open_brackets(text)):
            return kept
    return text


def without_following(text: str, following: str) -> str:
    """A text of several lines up to where it repeats the document's following lines."""
    below = [line.rstrip() for line in following.split("\n") if line.strip()]
    lines = text.split("\n")
    for at in range(1, len(lines)):
        own = [line.rstrip() for line in lines[at:] if line.strip()]
        same = next((n for n, pair in enumerate(zip(own, below, strict=False)) if pair[0] != pair[1]), None)
        count = min(len(own), len(below)) if same is None else same
        if count and (count == len(own) or any(map(is_word, own[0]))):
            return "\n".join(lines[:at])
    return text


def worth_showing(text: str) -> bool:
    """Whether a text is more than a character or two, which are typed before they are read, or it
    closes something."""
    text = text.strip()
    return len(text) > SHORT or any(each in CLOSERS for each in text)


def repeats(completed: str, following: str) -> bool:
    """Whether `following` begins with the completed lines, blank lines aside."""
    lines = [line.rstrip() for line in completed.split("\n") if line.strip()]
    below = [line.rstrip() for line in following.split("\n") if line.strip()]
    return lines == below[: len(lines)] and any(map(is_word, completed))


def within_block(text: str, indent: str) -> str:
    """Up to the first line that is indented less than the block, and without blank lines at the end."""
    lines = text.split("\n")
    width = _columns(indent)
    for at, line in enumerate(lines[1:], 1):
        if line.strip() and _columns(indentation(line)) < width:
            return "\n".join(lines[:at]).rstrip()
    return text.rstrip() if len(lines) > 1 else text


def at_block(text: str, indent: str) -> str:
    """For a text that goes where its block's indentation stands already: without the indentation that it
    begins with. The other lines are moved left by as much if they stand as deep as it does there; else the
    first line has only repeated the indentation, and they are where they belong."""
    first, *rest = text.split("\n")
    extra = _columns(indentation(first))
    here = _columns(indent) + extra
    depths = [_columns(indentation(line)) for line in rest if line.strip()]
    opens = opens_block(first)
    if extra and depths and min(depths) >= here and not (opens and depths[0] == here):
        rest = [" " * (_columns(indentation(line)) - extra) + line.lstrip(" \t") for line in rest]
    return "\n".join([first.lstrip(" \t"), *rest])


def opens_block(line: str) -> bool:
    """Whether the lines below belong deeper, by how the line ends."""
    return line.rstrip()[-1:] in tuple(":{([")


def reindented(text: str, indent: str, unit: str) -> str:
    """The lines after the first, indented in the document's style, where one level is `unit`.

    The smallest step by which the lines get deeper than `indent` is taken as one level of theirs."""
    lines = text.split("\n")
    if len(lines) == 1:
        return text
    base = _columns(indent)
    depths = [_columns(indentation(line)) - base for line in lines[1:] if line.strip()]
    own = _columns(unit)
    steps = [after - before for before, after in zip([0, *depths], depths, strict=False) if after > before]
    step = min((step for step in steps if step > 1), default=own)
    if step not in _STEPS or any(depth % step for depth in depths if depth > 0):
        step = own
    rest = []
    for line in lines[1:]:
        depth = _columns(indentation(line)) - base
        levels, blanks = divmod(depth, step) if depth >= 0 else (0, 0)
        kept = indent + unit * levels + " " * blanks if depth >= 0 else indentation(line)
        rest.append(kept + line.strip() if line.strip() else "")
    return "\n".join([lines[0], *rest])


def _columns(blanks: str) -> int:
    return len(blanks.expandtabs(4))
