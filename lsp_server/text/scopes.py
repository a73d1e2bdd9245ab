"""What stands around a place in a parse: its statement, its function's docstring, the uses of a name.

Looks at nodes but knows no tree-sitter beyond them; offsets go in and spans come out.
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
    """Where the function around an offset has its docstring, quotes included, or else its first statement;
    and whether it has one. None outside functions, and where the body stands on the head's line."""
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


def left_over(syntax: Syntax, at: Span, old: str) -> tuple[Span, ...]:
    """Uses of the name `old` that were uses of the binding at a span before it got another name.

    Empty where that is not certain: no binding in a function is there, the function does not parse, or
    the old or the new name is bound at another place in it too.
    """
    bound = syntax.node(at)
    if (names := BY_LANGUAGE.get(syntax.language.id)) is None or bound is None:
        return ()
    scope = bound.parent
    if scope and scope.type in names.scopes:  # its name belongs to what is around it
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


def _place(parent: Node, index: int, names: Names) -> Place:
    """Where a node's child stands; in a list of names, where the list stands."""
    around = parent.parent
    if parent.type in names.lists and around:
        at = next(i for i, child in enumerate(around.children) if child == parent)
        return around.type, around.field_name_for_child(at)
    return parent.type, parent.field_name_for_child(index)
