"""Parsing with tree-sitter, and what a parse says of a place. The only module that imports tree_sitter.

Offsets and spans count code points of the snapshot's text. Only the region around a place is parsed (see
`parse_region`), so that a parse takes about a millisecond in a file of any size. Where a language has no
grammar there is no Syntax (None), and the callers work by lines. So they do in prose, but for the code in
fences (see `fences`). `scopes` and `symbols` look at nodes and bytes; no other module does. Longer than most,
as all that touches tree-sitter is here.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Iterator
from functools import cache, cached_property

import tree_sitter

from lsp_server.text.document import Snapshot, Span
from lsp_server.text.languages import Language, by_id

from . import byte_offsets, fences, parse_region

Node = tree_sitter.Node

log = logging.getLogger(__name__)

# Seconds of this thread. A region takes a millisecond and a large file a tenth of a second, but where next to
# nothing parses the time grows with the square of the length.
REGION_S, WHOLE_S = 0.1, 1.0
PIECE = 65_536  # bytes that the parser is handed at a time
MOST_WRONG = 5_000  # pieces of an error whose tags are searched: the time grows with their square


class Syntax:
    """One parsed text. Immutable; `replaced` gives the parse of a changed text at the cost of the change.

    The text starts at offset `start` of the snapshot; where its region has an opening, that stands before
    the region, so `start` may be negative.
    """

    def __init__(
        self,
        text: str,
        start: int,
        language: Language,
        parser: tree_sitter.Parser,
        old: tree_sitter.Tree | None = None,
        limit_s: float = REGION_S,
    ) -> None:
        self.text, self.start, self.language = text, start, language
        self._data, self._parser, self._limit_s = byte_offsets.encode(text), parser, limit_s
        self._latest: tuple[Span, str, Syntax] | None = None  # of `replaced`: callers repeat each other
        tree = _tree(parser, self._data, old, limit_s)
        self.complete = tree is not None  # else parsing took too long, and everything counts as wrong
        self._tree = tree or parser.parse(b"")

    @cached_property
    def errors(self) -> int:
        """How many places do not parse: unexpected text, and tokens the parser had to add."""
        return sum(1 for _ in self._faults()) if self.complete else len(self._data) + 1

    def in_string(self, offset: int) -> bool:
        """Also true within the string's prefix and quotes; false in code that is interpolated in it."""
        at = self.byte(offset)
        for node in self.nodes_before(at):
            if node.type in self.language.interpolations and at < node.end_byte:
                return False
            if node.type in self.language.strings and (at < node.end_byte or _unclosed(node)):
                return True
        return False

    def in_comment(self, offset: int) -> bool:
        """Also true at a comment's end, where typing extends it."""
        return any(node.type in self.language.comments for node in self.nodes_before(self.byte(offset)))

    def unexpected(self, within: Span) -> list[Span]:
        """The pieces of text in the span that fit no rule of the grammar."""
        first, last = self.byte(within.start), self.byte(within.end)
        return [
            self.span_of(node)
            for node in self._faults(first, last)
            if node.is_error and first <= node.start_byte < last and first < node.end_byte <= last
        ]

    def statement_before(self, offset: int) -> str | None:
        """Text of the smallest statement that ends at the offset; None if there is none or it has errors."""
        at = self.byte(offset)
        for node in self.nodes_before(at):
            if node.end_byte != at or node.has_error:
                return None
            if node.parent and node.parent.type in self.language.blocks:
                return self.source(node.start_byte, at)
        return None

    def broken(self, within: Span) -> bool:
        """Whether an error touches the span."""
        faults = self._faults(self.byte(within.start), self.byte(within.end))
        return next(faults, None) is not None

    def replaced(self, span: Span, new: str) -> Syntax:
        """The parse of the text with `new` in place of the span."""
        if self._latest and self._latest[:2] == (span, new):
            return self._latest[2]
        first, last = span.start - self.start, span.end - self.start
        text = self.text[:first] + new + self.text[last:]
        syntax = self._edited(text, first, last, first + len(new), self.start)
        self._latest = span, new, syntax
        return syntax

    def reparsed(self, text: str, start: int) -> Syntax:
        """The parse of a later text that starts at `start`. What did not change is not parsed again."""
        if (text, start) == (self.text, self.start):
            return self
        first, old_end, new_end = byte_offsets.changed(self.text, text)
        return self._edited(text, first, old_end, new_end, start)

    # For `scopes` and `symbols`, which count in bytes as nodes do.

    @property
    def root(self) -> Node:
        return self._tree.root_node

    def node(self, span: Span) -> Node | None:
        """The innermost named node around a span."""
        return self.root.named_descendant_for_byte_range(self.byte(span.start), self.byte(span.end))

    def nodes_before(self, at: int) -> Iterator[Node]:
        """The nodes that hold the character before a byte, innermost first."""
        node = self.root.named_descendant_for_byte_range(max(0, at - 1), at)
        while node is not None:
            yield node
            node = node.parent

    def tags(
        self, query: str, scope: Node | None = None, nearby: tuple[int, int] | None = None
    ) -> Iterator[dict[str, list[Node]]]:
        """The captures, by name, of each match of a tag query (in tree-sitter's query language): in a node,
        by default the root, and there only in the bytes [first, last) of `nearby`, if given. None in
        a text of which nothing parses and which is long."""
        compiled = _query(self.language, query)
        root = scope or self.root
        if compiled is None or (root.is_error and root.child_count > MOST_WRONG):
            return
        cursor = tree_sitter.QueryCursor(compiled)
        if nearby:
            cursor.set_byte_range(*nearby)
        for _, captures in cursor.matches(root):
            yield captures

    def source(self, first: int, last: int) -> str:
        """The text of the bytes [first, last)."""
        return self._data[first:last].decode("utf-8", "replace")

    def byte(self, offset: int) -> int:
        return byte_offsets.to_byte(self.text, offset - self.start)

    def span_of(self, node: Node) -> Span:
        return Span(self.offset(node.start_byte), self.offset(node.end_byte))

    def offset(self, byte: int) -> int:
        return self.start + (byte if self.text.isascii() else len(self.source(0, byte)))

    def _faults(self, first: int = 0, last: int | None = None) -> Iterator[Node]:
        """Unexpected text and tokens that had to be added, where they touch the bytes [first, last]."""
        last, pending = len(self._data) if last is None else last, [self._tree.root_node]
        while pending:
            node = pending.pop()
            if node.has_error and node.start_byte <= last and node.end_byte >= first:
                if node.is_error or node.is_missing:
                    yield node
                pending.extend(node.children)

    def _edited(self, text: str, first: int, old_end: int, new_end: int, start: int) -> Syntax:
        """The parse of `text`, which has [first, new_end) where this one has [first, old_end)."""
        tree, old = self._tree.copy(), self.text
        tree.edit(
            byte_offsets.to_byte(old, first),
            byte_offsets.to_byte(old, old_end),
            byte_offsets.to_byte(text, new_end),
            byte_offsets.to_point(old, first),
            byte_offsets.to_point(old, old_end),
            byte_offsets.to_point(text, new_end),
        )
        old_tree = tree if self.complete else None
        return Syntax(text, start, self.language, self._parser, old_tree, self._limit_s)


def _tree(
    parser: tree_sitter.Parser, data: bytes, old: tree_sitter.Tree | None, limit_s: float
) -> tree_sitter.Tree | None:
    """None where it takes longer than that."""
    end = time.thread_time() + limit_s

    def read(at: int, point: object) -> bytes:
        return data[at : at + PIECE]

    def late(at: int, wrong: bool) -> bool:
        return time.thread_time() > end

    try:
        if old:
            return parser.parse(read, old, progress_callback=late)
        return parser.parse(read, progress_callback=late)
    except ValueError:  # it was stopped
        parser.reset()
        return None


def _unclosed(string: Node) -> bool:
    return string.has_error and bool(string.children) and string.children[-1].is_missing


class Parses:
    """The last parse in each open document, so that a keystroke costs a reparse of what it changed."""

    def __init__(self) -> None:
        self._last: dict[str, Syntax] = {}

    def around(self, snapshot: Snapshot, offset: int) -> Syntax | None:
        """The parse of the region around an offset; None where the language has no grammar, or parsing takes
        too long."""
        last, (language, code) = self._last.pop(snapshot.uri, None), _language_at(snapshot, offset)
        parser = _parser(language) if language else None
        if not language or not parser:
            return None
        whole = snapshot.text[code.start : code.end]
        regions = parse_region.around(whole, offset - code.start, language)
        if last:  # while a line is typed, what was guessed about the lines above it still holds
            regions = [each for each in regions if last.text.startswith(each.above(whole))] or regions
        best, fewest = None, None
        for each in regions:
            text, start = each.of(whole), code.start + each.span.start - len(each.opening)
            if last and last.language is language:
                syntax = last.reparsed(text, start)
            else:
                syntax = Syntax(text, start, language, parser)
            if not syntax.complete:
                return None
            errors = syntax.errors if len(regions) > 1 else 0
            if errors:
                line = Span(code.start + each.line.start, code.start + each.line.end)
                errors = min(errors, syntax.replaced(line, "").errors)
            if fewest is None or errors < fewest:
                best, fewest = syntax, errors
            if not fewest:
                break
        if best:
            self._last[snapshot.uri] = best
        return best

    def forget(self, uri: str) -> None:
        self._last.pop(uri, None)


def _language_at(snapshot: Snapshot, offset: int) -> tuple[Language | None, Span]:
    """The language that is written at an offset, and where its text is: everywhere, or in a fence."""
    language, everything = by_id(snapshot.language), Span(0, len(snapshot.text))
    if not language or not language.fences:
        return language, everything
    code, name = fences.code_at(snapshot.text, offset) or (everything, "")
    return by_id(name), code


def parse(text: str, language: Language, limit_s: float = WHOLE_S) -> Syntax | None:
    """All of a text; None if the language's grammar is not installed, or parsing takes longer than `limit_s`.
    Has a parser of its own, so that it can run in a thread."""
    known = _parser(language)
    if not known or not known.language:
        return None
    syntax = Syntax(text, 0, language, tree_sitter.Parser(known.language), limit_s=limit_s)
    return syntax if syntax.complete else None


@cache
def _parser(language: Language) -> tree_sitter.Parser | None:
    """Made when the first document of the language is opened. None, with one warning, if the grammar is not
    installed or not for this tree-sitter."""
    if not language.grammar:
        return None
    try:
        grammar = getattr(importlib.import_module(language.grammar), language.symbol)
        return tree_sitter.Parser(tree_sitter.Language(grammar()))
    except (ImportError, AttributeError, ValueError) as error:
        log.warning("no grammar for %s, working by lines instead: %s", language.id, error)
        return None


@cache
def _query(language: Language, source: str) -> tree_sitter.Query | None:
    """None for a blank source, and, with one warning, for one that does not fit the grammar."""
    parser = _parser(language)
    if parser is None or parser.language is None or not source.strip():
        return None
    try:
        return tree_sitter.Query(parser.language, source)
    except tree_sitter.QueryError as error:
        log.warning("the tag query of %s does not fit its grammar: %s", language.grammar, error)
        return None
