"""Parsing with tree-sitter; the only module that knows it.

Callers see code-point offsets and counts, never nodes or bytes. Only the region around a place is parsed
(see `region`), so that a parse takes a millisecond or so in any file. A text whose language has no
grammar has no Syntax (None), and the callers then work by lines.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import tree_sitter

from lsp_server.text.document import Snapshot, Span
from lsp_server.text.languages import Language, by_id

from . import parse_region

Node = tree_sitter.Node

log = logging.getLogger(__name__)

_IMPORTS = ("import", "use_declaration", "using_directive", "include", "require")  # in names of nodes
_MORE_TAGS = {"tree_sitter_typescript": "tree_sitter_javascript"}  # the first's query adds to the second's


@dataclass(frozen=True, slots=True)
class Definition:
    """Something with a name that other code may use."""

    name: str
    head: str  # its text up to its body
    note: str  # the docstring in it or the comment above it, else empty


class Syntax:
    """One parsed text. Immutable; `replaced` gives the parse of a changed text at the cost of the change.

    Offsets are those of the snapshot, where the text starts at `start` (before it, if the region has an
    opening).
    """

    def __init__(
        self,
        text: str,
        start: int,
        language: Language,
        parser: tree_sitter.Parser,
        old: tree_sitter.Tree | None = None,
    ) -> None:
        self.text, self.start, self.language = text, start, language
        self._data, self._parser = _encode(text), parser
        self._latest: tuple[Span, str, Syntax] | None = None  # asked for by several in a row
        self._tree = parser.parse(self._data, old) if old else parser.parse(self._data)

    @cached_property
    def errors(self) -> int:
        """How many places do not parse: unexpected text, and tokens the parser had to add."""
        return sum(1 for _ in self._stumbles())

    def _stumbles(self, first: int = 0, last: int | None = None) -> Iterator[tree_sitter.Node]:
        """Unexpected text and tokens that had to be added, where they touch the bytes [first, last]."""
        last, pending = len(self._data) if last is None else last, [self._tree.root_node]
        while pending:
            node = pending.pop()
            if node.has_error and node.start_byte <= last and node.end_byte >= first:
                if node.is_error or node.is_missing:
                    yield node
                pending.extend(node.children)

    def in_string(self, offset: int) -> bool:
        """Between a string's quotes, or within the prefix and quotes themselves, but not in code that the
        string holds."""
        at = self._byte(offset)
        for node in self._before(at):
            if node.type in self.language.interpolations and at < node.end_byte:
                return False
            if node.type in self.language.strings and (at < node.end_byte or _unclosed(node)):
                return True
        return False

    def in_comment(self, offset: int) -> bool:
        """Also true at a comment's end, where typing extends it."""
        return any(node.type in self.language.comments for node in self._before(self._byte(offset)))

    def unexpected(self, within: Span) -> list[Span]:
        """Text in the span that the parser could not make sense of."""
        first, last = self._byte(within.start), self._byte(within.end)
        return [
            self.span_of(node)
            for node in self._stumbles(first, last)
            if node.is_error and first <= node.start_byte < last and first < node.end_byte <= last
        ]

    def statement_before(self, offset: int) -> str | None:
        """The smallest statement that ends at the offset, if it has no errors."""
        at = self._byte(offset)
        for node in self._before(at):
            if node.end_byte != at or node.has_error:
                return None
            if node.parent and node.parent.type in self.language.blocks:
                return self._data[node.start_byte : at].decode("utf-8", "replace")
        return None

    def broken(self, within: Span) -> bool:
        """Whether the parser stumbled over anything that touches the span."""
        found = self._stumbles(self._byte(within.start), self._byte(within.end))
        return next(found, None) is not None

    def bodies(self) -> list[tuple[Span, Span]]:
        """Functions, each with the inside of its body, without brackets or keywords around it."""
        found, pending = [], [self._tree.root_node]
        while pending:
            node = pending.pop()
            pending.extend(node.children)
            if node.type in self.language.functions:
                found.append((Span(self._offset(node.start_byte), self._offset(node.end_byte)), node))
        bodies = [(span, self._inside(node)) for span, node in sorted(found, key=lambda each: each[0].start)]
        return [(span, inside) for span, inside in bodies if inside]

    def _inside(self, function: tree_sitter.Node) -> Span | None:
        body = function.child_by_field_name("body")
        if body and body.text and body.text.startswith(b"{"):
            start, end = body.start_byte + 1, body.end_byte - 1
        elif body:
            start, end = body.start_byte, body.end_byte
        else:  # up to the line with the keyword that ends it
            text = self._data[function.start_byte : function.end_byte]
            first, last = text.find(b"\n"), text.rfind(b"\n")
            if first < 0:
                return None
            start, end = function.start_byte + first, function.start_byte + last
        return Span(self._offset(start), self._offset(max(start, end)))

    def node(self, span: Span) -> tree_sitter.Node | None:
        """The innermost named node around a span; for `scopes`, nobody else looks at nodes."""
        first, last = self._byte(span.start), self._byte(span.end)
        return self._tree.root_node.named_descendant_for_byte_range(first, last)

    def span_of(self, node: tree_sitter.Node) -> Span:
        return Span(self._offset(node.start_byte), self._offset(node.end_byte))

    def calls(self, offset: int, reach: int) -> tuple[str, ...]:
        """What the code around an offset calls, the nearest first: in the largest node around it that has
        at most `reach` bytes, or in as many bytes, where errors or the top level leave none."""
        query, at = _tags(self.language), self._byte(offset)
        if query is None:
            return ()
        scope, cursor = None, tree_sitter.QueryCursor(query)
        for node in self._before(at):
            if node.end_byte - node.start_byte > reach or node.parent is None or node.is_error:
                break
            scope = node
        if scope is None:
            cursor.set_byte_range(max(0, at - reach // 2), at + reach // 2)
        found = [
            (abs(name.start_byte - at), _text(name))
            for _, captures in cursor.matches(scope or self._tree.root_node)
            if "reference.call" in captures
            for name in captures.get("name", ())
            if name.text
        ]
        return tuple(dict.fromkeys(name for _, name in sorted(found)))

    def definitions(self) -> Iterator[Definition]:
        """Functions, classes and the like, as the grammar's own tag query finds them."""
        query = _tags(self.language)
        if query is None:
            return
        for _, captures in tree_sitter.QueryCursor(query).matches(self._tree.root_node):
            kinds = [kind for kind in captures if kind.startswith("definition.")]
            if (
                not kinds
                or kinds[0] in ("definition.constant", "definition.module")
                or "name" not in captures
            ):
                continue
            node = captures[kinds[0]][0]
            while (body := node.child_by_field_name("body")) is None and len(node.named_children) == 1:
                node = node.named_children[0]  # `export` and declarators stand around a definition
            end = node.end_byte if body is None else body.start_byte
            head = self._data[captures[kinds[0]][0].start_byte : end].decode("utf-8", "replace")
            yield Definition(_text(captures["name"][0]), head, self._note(captures[kinds[0]][0], body))

    def imports(self) -> str:
        """The statements at the top level that import something, one below the other."""
        nodes = self._tree.root_node.children
        found = (node for node in nodes if any(word in node.type for word in _IMPORTS))
        return "\n".join(_text(node).rstrip() for node in found)

    def _note(self, node: tree_sitter.Node, body: tree_sitter.Node | None) -> str:
        first = body.named_children[0] if body and body.named_children else None
        if first and first.type == "expression_statement" and first.named_children:
            first = first.named_children[0]
        if first and first.type in self.language.strings:
            return _text(first)
        above = node.prev_sibling
        if above and above.type in self.language.comments and above.end_point.row + 1 >= node.start_point.row:
            return _text(above)
        return ""

    def replaced(self, span: Span, new: str) -> Syntax:
        """The parse with `new` for what `span` holds."""
        if self._latest and self._latest[:2] == (span, new):
            return self._latest[2]
        first, last = span.start - self.start, span.end - self.start
        text = self.text[:first] + new + self.text[last:]
        syntax = self._edited(text, first, last, first + len(new), self.start)
        self._latest = span, new, syntax
        return syntax

    def reparsed(self, text: str, start: int) -> Syntax:
        """The parse of a later text, reusing what did not change."""
        if (text, start) == (self.text, self.start):
            return self
        old = self.text
        shorter = min(len(old), len(text))
        head = _longest(shorter, lambda low, high: old[low:high] == text[low:high])
        tail = _longest(
            shorter - head,
            lambda low, high: (
                old[len(old) - high : len(old) - low] == text[len(text) - high : len(text) - low]
            ),
        )
        return self._edited(text, head, len(old) - tail, len(text) - tail, start)

    def _edited(self, text: str, first: int, old_end: int, new_end: int, start: int) -> Syntax:
        """The parse of `text`, which is this one's but for [first, old_end), now [first, new_end)."""
        tree, old = self._tree.copy(), self.text
        tree.edit(
            _byte(old, first),
            _byte(old, old_end),
            _byte(text, new_end),
            _point(old, first),
            _point(old, old_end),
            _point(text, new_end),
        )
        return Syntax(text, start, self.language, self._parser, tree)

    def _byte(self, offset: int) -> int:
        return _byte(self.text, offset - self.start)

    def _offset(self, byte: int) -> int:
        return self.start + (
            byte if self.text.isascii() else len(self._data[:byte].decode("utf-8", "replace"))
        )

    def _before(self, at: int) -> Iterator[tree_sitter.Node]:
        """The nodes that hold the character before a byte position, innermost first."""
        node = self._tree.root_node.named_descendant_for_byte_range(max(0, at - 1), at)
        while node is not None:
            yield node
            node = node.parent


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _unclosed(string: tree_sitter.Node) -> bool:
    return string.has_error and bool(string.children) and string.children[-1].is_missing


class Parses:
    """The last parse in each open document, so that a keystroke costs a reparse of what it touched."""

    def __init__(self) -> None:
        self._last: dict[str, Syntax] = {}

    def around(self, snapshot: Snapshot, offset: int) -> Syntax | None:
        """The parse of the region around an offset."""
        last, language = self._last.pop(snapshot.uri, None), by_id(snapshot.language)
        parser = _parser(language) if language else None
        if not language or not parser:
            return None
        regions = parse_region.around(snapshot.text, offset, language)
        if last:  # while a line is typed, what was guessed about the lines above it still holds
            regions = [each for each in regions if last.text.startswith(each.above(snapshot.text))] or regions
        best, fewest = None, None
        for each in regions:
            text, start = each.of(snapshot.text), each.span.start - len(each.opening)
            if last and last.language is language:
                syntax = last.reparsed(text, start)
            else:
                syntax = Syntax(text, start, language, parser)
            errors = syntax.errors if len(regions) > 1 else 0
            if errors:
                errors = min(errors, syntax.replaced(each.line, "").errors)
            if fewest is None or errors < fewest:
                best, fewest = syntax, errors
            if not fewest:
                break
        if best:
            self._last[snapshot.uri] = best
        return best

    def forget(self, uri: str) -> None:
        self._last.pop(uri, None)


def parse(text: str, language: Language) -> Syntax | None:
    """All of a text; None if the language's grammar is not installed."""
    parser = _parser(language)
    return Syntax(text, 0, language, parser) if parser else None


@cache
def _parser(language: Language) -> tree_sitter.Parser | None:
    """Made when the first document of the language is opened. None, and one warning, if its grammar is
    not installed or not for this tree-sitter."""
    try:
        grammar = getattr(importlib.import_module(language.grammar), language.symbol)
        return tree_sitter.Parser(tree_sitter.Language(grammar()))
    except (ImportError, AttributeError, ValueError) as error:
        log.warning("no grammar for %s, working by lines instead: %s", language.id, error)
        return None


@cache
def _tags(language: Language) -> tree_sitter.Query | None:
    """The query that finds definitions and calls; None where a grammar brings none."""
    parser, grammar = _parser(language), language.grammar
    if parser is None or parser.language is None:
        return None
    modules = (_MORE_TAGS.get(grammar), grammar)
    source = "\n".join(_tags_source(module) for module in modules if module)
    try:
        return tree_sitter.Query(parser.language, source) if source.strip() else None
    except tree_sitter.QueryError as error:
        log.warning("the tag query of %s does not fit its grammar: %s", grammar, error)
        return None


def _tags_source(grammar: str) -> str:
    try:
        module = importlib.import_module(grammar)
        source = getattr(module, "TAGS_QUERY", "")
        return source or (files(module) / "queries" / "tags.scm").read_text("utf-8")
    except (ImportError, OSError):
        return ""


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate becomes one byte, consistently


def _longest(limit: int, equal: Callable[[int, int], bool]) -> int:
    """The largest n up to `limit` with equal(0, n), by halving: slices compare at memory speed."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if equal(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _byte(text: str, offset: int) -> int:
    return offset if text.isascii() else len(_encode(text[:offset]))


def _point(text: str, offset: int) -> tuple[int, int]:
    """Row and column, in bytes."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset), len(_encode(text[start:offset]))
