"""What a parsed text defines, imports and calls, by name.

Definitions and calls come from the tag query in each grammar's package; a grammar without one has neither.
Looks at nodes but imports no tree-sitter. Resolves nothing: what a name refers to is not known here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lsp_server.text.syntax import Node, Syntax

_IMPORTS = ("import", "use_declaration", "using_directive", "include", "require")  # in names of nodes
_MORE_TAGS = {"tree_sitter_typescript": "tree_sitter_javascript"}  # the first's query adds to the second's
_LEFT_OUT = ("definition.constant", "definition.module")


@dataclass(frozen=True, slots=True)
class Definition:
    """Something with a name that other code may use."""

    name: str
    head: str  # its text up to its body
    note: str  # its docstring or the comment above it, with quotes and comment marks; else empty


def definitions(syntax: Syntax) -> Iterator[Definition]:
    """Functions, classes and the like."""
    for captures in syntax.tags(_tag_query(syntax.language.grammar)):
        kinds = [kind for kind in captures if kind.startswith("definition.")]
        if not kinds or kinds[0] in _LEFT_OUT or "name" not in captures:
            continue
        whole = node = captures[kinds[0]][0]
        while (body := node.child_by_field_name("body")) is None and len(node.named_children) == 1:
            node = node.named_children[0]  # `export` and declarators stand around a definition
        head = syntax.source(whole.start_byte, node.end_byte if body is None else body.start_byte)
        yield Definition(_text(captures["name"][0]), head, _note(syntax, whole, body))


def imports(syntax: Syntax) -> str:
    """The statements at the top level that import something, one below the other."""
    found = (node for node in syntax.root.children if any(word in node.type for word in _IMPORTS))
    return "\n".join(_text(node).rstrip() for node in found)


def calls(syntax: Syntax, offset: int, reach: int) -> tuple[str, ...]:
    """Names of what is called near an offset, the nearest first, each once.

    Looks through the largest node around the offset that has at most `reach` bytes; through `reach` bytes
    around it where there is no such node, as at the top level or next to an error.
    """
    at = syntax.byte(offset)
    scope = None
    for node in syntax.nodes_before(at):
        if node.end_byte - node.start_byte > reach or node.parent is None or node.is_error:
            break
        scope = node
    nearby = None if scope else (max(0, at - reach // 2), at + reach // 2)
    found = [
        (abs(name.start_byte - at), _text(name))
        for captures in syntax.tags(_tag_query(syntax.language.grammar), scope, nearby)
        if "reference.call" in captures
        for name in captures.get("name", ())
        if name.text
    ]
    return tuple(dict.fromkeys(name for _, name in sorted(found)))


def _note(syntax: Syntax, definition: Node, body: Node | None) -> str:
    """The docstring that the body begins with, or else the comment right above the definition."""
    first = body.named_children[0] if body and body.named_children else None
    if first and first.type == "expression_statement" and first.named_children:
        first = first.named_children[0]
    if first and first.type in syntax.language.strings:
        return _text(first)
    above = definition.prev_sibling
    if above and above.type in syntax.language.comments:
        return _text(above) if above.end_point.row + 1 >= definition.start_point.row else ""
    return ""


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


@cache
def _tag_query(grammar: str) -> str:
    """The source of a grammar's tag query; blank if its package has none."""
    modules = (_MORE_TAGS.get(grammar), grammar)
    return "\n".join(_tags_source(module) for module in modules if module)


def _tags_source(grammar: str) -> str:
    try:
        module = importlib.import_module(grammar)
        source = getattr(module, "TAGS_QUERY", "")
        return source or (files(module) / "queries" / "tags.scm").read_text("utf-8")
    except (ImportError, OSError):
        return ""
