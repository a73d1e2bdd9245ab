"""Statements, functions and names in a parse: the statement around a place, the bodies and docstrings of
functions, the uses of a name that has been rebound.

Offsets go in and spans come out. Looks at nodes but imports no tree-sitter.
"""

from __future__ import annotations

from lsp_server.text.document import Span
from lsp_server.text.name_bindings import BY_LANGUAGE, Names, Place
from lsp_server.text.syntax import Node, Syntax


def statement(syntax: Syntax, span: Span) -> Span | None:
    """The innermost whole statement around a span."""
    node = syntax.node(span)
    while node and node.parent and node.parent.type not in syntax.language.blocks:
        node = node.parent
    return syntax.span_of(node) if node and node.parent else None


def docstring(syntax: Syntax, offset: int) -> tuple[Span, bool] | None:
    """For the function around an offset: its docstring with the quotes and True, or, where it has none, its
    first statement and False. None outside functions, and where the body is on the head's line."""
    node = syntax.node(Span(offset, offset))
    while node and node.type not in syntax.language.functions:
        node = node.parent
    body = node.child_by_field_name("body") if node else None
    if not node or not body or not body.named_children or body.start_point.row == node.start_point.row:
        return None
    first = body.named_children[0]
    inner = first.named_children[0] if first.named_children else first
    there = first.type == "expression_statement" and inner.type in syntax.language.strings
    return syntax.span_of(inner if there else first), there


def function_bodies(syntax: Syntax) -> list[tuple[Span, Span]]:
    """All functions in order, each with the inside of its body: what brackets or keywords enclose."""
    found, pending = [], [syntax.root]
    while pending:
        node = pending.pop()
        pending.extend(node.children)
        if node.type in syntax.language.functions and (inside := _inside(syntax, node)):
            found.append((syntax.span_of(node), inside))
    return sorted(found, key=lambda each: each[0].start)


def _inside(syntax: Syntax, function: Node) -> Span | None:
    body = function.child_by_field_name("body")
    if body and body.text and body.text.startswith(b"{"):
        start, end = body.start_byte + 1, body.end_byte - 1
    elif body:
        start, end = body.start_byte, body.end_byte
    else:  # up to the line with the keyword that ends it
        text = function.text or b""
        first, last = text.find(b"\n"), text.rfind(b"\n")
        if first < 0:
            return None
        start, end = function.start_byte + first, function.start_byte + last
    return Span(syntax.offset(start), syntax.offset(max(start, end)))


def left_over(syntax: Syntax, at: Span, old: str) -> tuple[Span, ...]:
    """A function's binding at the span `at` was renamed from `old`: the uses that still have the old name.

    Empty where that is not certain: the span is no binding in a function, the function does not parse, or
    the old or the new name is bound at another place in it too.
    """
    bound = syntax.node(at)
    if (names := BY_LANGUAGE.get(syntax.language.id)) is None or bound is None:
        return ()
    scope = bound.parent
    if scope and scope.type in names.scopes:  # a function's own name is bound in the scope around it
        scope = scope.parent
    while scope and scope.type not in names.scopes:
        scope = scope.parent
    body = scope.child_by_field_name("body") if scope else None
    if not scope or not body or scope.has_error or not scope.child_by_field_name("parameters"):
        return ()
    wanted = old.encode("utf-8", "replace")
    bound_here, uses, pending = False, [], [scope]
    while pending:
        node = pending.pop()
        for index, child in enumerate(node.children):
            pending.append(child)
            if child.type in names.shorthands and child.text == wanted:
                return ()
            if child.type != bound.type or child.text not in (wanted, bound.text):
                continue
            place = _place(node, index, names)
            if place in names.unclear:
                return ()
            if place in names.binders and node is not scope:
                if child != bound:
                    return ()
                bound_here = True
            elif place not in names.foreign and child.text == wanted:
                uses.append(child)
    after = max(body.start_byte, bound.end_byte)
    return tuple(syntax.span_of(use) for use in uses if use.start_byte >= after) if bound_here else ()


def place_of(node: Node, language: str) -> Place | None:
    """A name's place, as `name_bindings` has it; None where the language has no entry there."""
    names, parent = BY_LANGUAGE.get(language), node.parent
    if names is None or parent is None:
        return None
    index = next(i for i, child in enumerate(parent.children) if child == node)
    return _place(parent, index, names)


def _place(parent: Node, index: int, names: Names) -> Place:
    """A child's place, as `name_bindings` has it; that of the list for a child of a list of names."""
    around = parent.parent
    if parent.type in names.lists and around:
        at = next(i for i, child in enumerate(around.children) if child == parent)
        return around.type, around.field_name_for_child(at)
    return parent.type, parent.field_name_for_child(index)
