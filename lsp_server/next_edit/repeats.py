"""A change was made at one place or more, so it may be due at others.

A line's change is the words that were replaced, and by what. The other places where those words stand are
searched as text, within what the parse calls the same: never in strings and comments, unless the change was
there. How likely each is, `evidence` says: how much around the words is alike, and how often the change was
made already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from lsp_server.next_edit.changes import LineChange, line_changes, tokens
from lsp_server.next_edit.evidence import Evidence
from lsp_server.next_edit.history import Edited
from lsp_server.text.document import Snapshot, Span
from lsp_server.text.file_bindings import binds_locally
from lsp_server.text.lines import line_at, unmatched
from lsp_server.text.positions import line_span
from lsp_server.text.syntax import Syntax

FAR = 1_000  # lines, where the change was made in another document
BINDING = "binding"  # the node of a name where a function binds it
IMPORTED = "imported"  # and where the file imports it
MOST_PLACES = 100  # of one change; what stands in more is too common to tell
_LONGEST_GAP = 120  # characters between two replaced words
_ALIKE = 4  # tokens of context that are compared on either side
_NAME = re.compile(r"[^\W\d]\w\w+")

Words = tuple[tuple[str, str], ...]  # (old, new) of each place in a line that differs


@dataclass(frozen=True, slots=True)
class Pattern:
    """A change with the lines where it was made, the newest last."""

    words: Words
    examples: tuple[LineChange, ...]
    age: int  # newer changes of other words
    find: re.Pattern[str]  # group `at`: what is replaced; `gapN`: what stays between its words
    done: re.Pattern[str]  # the same after the change

    def text(self, match: re.Match[str]) -> str:
        gaps = [match[f"gap{at}"] for at in range(1, len(self.words))]
        return "".join(new + gap for (_, new), gap in zip(self.words, [*gaps, ""], strict=True))


def patterns(edits: Sequence[Edited]) -> Iterator[Pattern]:
    """What was changed, the newest first. What only deletes is left out: it is never offered."""
    changes = [change for edit in edits if not edit.pasted for change in line_changes(edit)]
    by_words: dict[Words, list[LineChange]] = {}
    for change in changes:
        words = tuple(piece[:2] for piece in change.pieces)
        by_words[words] = [*by_words.pop(words, []), change]
    for age, (words, examples) in enumerate(reversed(by_words.items())):
        if any(new.strip() for _, new in words):
            yield _pattern(words, tuple(examples), age)


def places(snapshot: Snapshot, pattern: Pattern, syntax: Syntax | None) -> list[tuple[Span, str, Evidence]]:
    """(span, new text, evidence) wherever the change can still be made, in order. Numbers and marks alone
    say nothing: where no name was replaced, more around them has to be alike."""
    text = snapshot.text
    finished = [match.span("at") for match in pattern.done.finditer(text)]
    kind, node = _place_of_example(snapshot, pattern, syntax)
    if node == BINDING:  # a rename; where that is not certain, nothing is
        return []
    found = []
    for match in pattern.find.finditer(text):
        start, end = match.span("at")
        if any(a <= start and end <= b for a, b in finished):
            continue
        if len(found) == MOST_PLACES:
            return []
        if any("".join(unmatched(match[f"gap{at}"])) for at in range(1, len(pattern.words))):
            continue
        its_kind, its_node = _place(syntax, Span(start, end)) if syntax else ("code", "")
        if its_kind == kind and its_node != BINDING and (its_node != IMPORTED or node == IMPORTED):
            found.append((Span(start, end), pattern.text(match), its_node == node))
    judged = [
        (span, new, _evidence(snapshot, pattern, span, same, kind, len(found))) for span, new, same in found
    ]
    return [each for each in judged if each[2].names or each[2].left + each[2].right >= _ALIKE]


def _pattern(words: Words, examples: tuple[LineChange, ...], age: int) -> Pattern:
    gaps = [list(each) for each in zip(*map(_gaps, examples), strict=True)]
    fixed = [gap[0] if len(set(gap)) == 1 else None for gap in gaps]
    before, after = _left(examples[-1]), _right(examples[-1])

    def regex(sides: Sequence[str]) -> re.Pattern[str]:
        body = re.escape(sides[0])
        for at, (gap, side) in enumerate(zip(fixed, sides[1:], strict=True), 1):
            body += rf"(?P<gap{at}>{_any() if gap is None else re.escape(gap)})" + re.escape(side)
        left = _beside(before, -1) if not words[0][0] else ""
        right = _beside(after, 0) if not words[-1][0] else ""
        look = rf"(?<={re.escape(left)})" if left else ""
        start = r"(?<!\w)" if (left + sides[0])[:1].isidentifier() else ""
        end = r"(?!\w)" if (sides[-1] + right)[-1:].isidentifier() else ""
        tail = r"\r?$" if right == "\n" else re.escape(right) + end
        return re.compile(f"{look}{start if not left else ''}(?P<at>{body})(?={tail})", re.MULTILINE)

    return Pattern(words, examples, age, regex([old for old, _ in words]), regex([new for _, new in words]))


def _beside(text: str, at: int) -> str:
    """The last (-1) or first (0) word of a text, with the blanks that stand between it and the text's end."""
    found = tokens(text)
    if not found:
        return "\n" if at == 0 else ""
    if len(found) > 1 and found[at].isspace():
        return "".join(found[-2:] if at else found[:2])
    return found[at]


def _any() -> str:
    return rf"[^\n]{{1,{_LONGEST_GAP}}}?"


def _left(change: LineChange) -> str:
    return change.new[: change.pieces[0][2]]


def _right(change: LineChange) -> str:
    _, new, column = change.pieces[-1]
    return change.new[column + len(new) :]


def _gaps(change: LineChange) -> list[str]:
    """What stands between the replaced words."""
    pieces = change.pieces
    return [change.new[column + len(new) : following[2]] for (_, new, column), following in pairwise(pieces)]


def _evidence(
    snapshot: Snapshot, pattern: Pattern, span: Span, same_node: bool, kind: str, count: int
) -> Evidence:
    line = line_at(snapshot.text, span.start)
    left, right = snapshot.text[line.start : span.start], snapshot.text[span.end : line.end]
    around = max(
        (_alike(tokens(_left(each).lstrip())[::-1], tokens(left.lstrip())[::-1]),
         _alike(tokens(_right(each)), tokens(right)))
        for each in pattern.examples
    )  # fmt: skip
    old, new = ("".join(words) for words in zip(*pattern.words, strict=True))
    number = snapshot.first_line + snapshot.text.count("\n", 0, line.start)
    apart = [
        abs(each.line - number) for each in pattern.examples if each.uri == snapshot.uri and each.line >= 0
    ]
    now = tokens(left + snapshot.text[span.start : line.end])
    return Evidence(
        left=around[0],
        right=around[1],
        names=len(_NAME.findall(old)),
        inserts=not old.strip(),
        examples=len(pattern.examples),
        likeness=max(Levenshtein.normalized_similarity(tokens(each.old), now) for each in pattern.examples),
        lines=min(apart, default=FAR),
        known=snapshot.text.count(new.strip()) > len(pattern.examples) if new.strip() else False,
        places=count,
        same_node=same_node,
        kind=kind,
        age=pattern.age,
        pieces=len(pattern.words),
    )


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words and marks are the same, up to the first that is not; the line's end counts as one."""
    one, other = [[*(each for each in side if not each.isspace()), "\n"] for side in (one, other)]
    pairs = zip(one, other, strict=False)
    return min(_ALIKE, next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other))))


def _place_of_example(snapshot: Snapshot, pattern: Pattern, syntax: Syntax | None) -> tuple[str, str]:
    """Where the change was made: in code, a string or a comment, and the node of the first changed word."""
    for change in reversed(pattern.examples):
        line = line_span(snapshot.text, change.line - snapshot.first_line) if change.line >= 0 else None
        if syntax and line and change.uri == snapshot.uri:
            _, new, column = change.pieces[0]
            return _place(syntax, Span(line.start + column, line.start + column + len(new)))
    return "code", ""


def _place(syntax: Syntax, span: Span) -> tuple[str, str]:
    at = span.start + 1 if span.end > span.start else span.start
    kind = "comment" if syntax.in_comment(at) else "string" if syntax.in_string(at) else "code"
    node = syntax.node(span)
    if node is None or node.parent is None:
        return kind, ""
    if "identifier" in node.type and binds_locally(node, syntax.language.id):
        return kind, BINDING
    if "import" in node.parent.type or node.parent.type == "dotted_name":
        return kind, IMPORTED
    return kind, f"{node.type}<{node.parent.type}"
