"""Parsing with tree-sitter; the only module that knows it.

Callers see code-point offsets and counts, never nodes or bytes. A text whose language has no grammar
has no Syntax (None), and the callers then work by lines.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from functools import cache, cached_property

import tree_sitter

from lsp_server.document import Snapshot, Span
from lsp_server.languages import Language, by_id

log = logging.getLogger(__name__)


class Syntax:
    """One parsed text. Immutable; `replaced` gives the parse of a changed text at the cost of the change."""

    def __init__(
        self, text: str, data: bytes, language: Language, parser: tree_sitter.Parser, tree: tree_sitter.Tree
    ) -> None:
        self.text, self.language = text, language
        self._data, self._parser, self._tree = data, parser, tree

    @cached_property
    def errors(self) -> int:
        """How many places do not parse: unexpected text, and tokens the parser had to add."""
        count, pending = 0, [self._tree.root_node]
        while pending:
            node = pending.pop()
            if node.has_error:
                count += node.is_error or node.is_missing
                pending.extend(node.children)
        return count

    def kind_at(self, offset: int) -> str:
        """Grammar name of the smallest named node around the offset."""
        at = self._byte(offset)
        node = self._tree.root_node.named_descendant_for_byte_range(at, at)
        return (node or self._tree.root_node).type

    def in_string(self, offset: int) -> bool:
        """Between a string's quotes, or within the prefix and quotes themselves."""
        at = self._byte(offset)
        return any(node.type in self.language.strings and at < node.end_byte for node in self._before(at))

    def in_comment(self, offset: int) -> bool:
        """Also true at a comment's end, where typing extends it."""
        return any(node.type in self.language.comments for node in self._before(self._byte(offset)))

    def replaced(self, span: Span, new: str) -> Syntax:
        """The parse with `new` for what `span` holds."""
        start, end, inserted = self._byte(span.start), self._byte(span.end), _encode(new)
        data = self._data[:start] + inserted + self._data[end:]
        tree, new_end = self._tree.copy(), start + len(inserted)
        tree.edit(
            start, end, new_end, _point(self._data, start), _point(self._data, end), _point(data, new_end)
        )
        text = self.text[: span.start] + new + self.text[span.end :]
        return Syntax(text, data, self.language, self._parser, self._parser.parse(data, tree))

    def reparsed(self, text: str) -> Syntax:
        """The parse of a later text, reusing what did not change."""
        if text == self.text:
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
        return self.replaced(Span(head, len(old) - tail), text[head : len(text) - tail])

    def _byte(self, offset: int) -> int:
        return offset if self.text.isascii() else len(_encode(self.text[:offset]))

    def _before(self, at: int) -> Iterator[tree_sitter.Node]:
        """The nodes that hold the character before a byte position, innermost first."""
        node = self._tree.root_node.named_descendant_for_byte_range(max(0, at - 1), at)
        while node is not None:
            yield node
            node = node.parent


class Parses:
    """The last parse of each open document, so that a keystroke costs a reparse of what it touched."""

    def __init__(self) -> None:
        self._last: dict[str, Syntax] = {}

    def of(self, snapshot: Snapshot) -> Syntax | None:
        language = by_id(snapshot.language)
        last = self._last.pop(snapshot.uri, None)
        if last and last.language is language:
            syntax = last.reparsed(snapshot.text)
        else:
            syntax = parse(snapshot.text, language) if language else None
        if syntax:
            self._last[snapshot.uri] = syntax
        return syntax

    def forget(self, uri: str) -> None:
        self._last.pop(uri, None)


def parse(text: str, language: Language) -> Syntax | None:
    """None if the language's grammar is not installed."""
    parser = _parser(language.grammar)
    if parser is None:
        return None
    data = _encode(text)
    return Syntax(text, data, language, parser, parser.parse(data))


@cache
def _parser(grammar: str) -> tree_sitter.Parser | None:
    try:
        return tree_sitter.Parser(tree_sitter.Language(importlib.import_module(grammar).language()))
    except ImportError as error:
        log.warning("no grammar %s, working by lines instead: %s", grammar, error)
        return None


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


def _point(data: bytes, at: int) -> tuple[int, int]:
    return data.count(b"\n", 0, at), at - (data.rfind(b"\n", 0, at) + 1)
