"""Names that a file defines or imports at its top level or in a class, and their uses, in any grammar.

What binds a name is read off the grammar's own words: a node that declares, defines or imports has the name
as its `name`. Local names are in `scopes`. Offsets go in and spans come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lsp_server.text.document import Span
from lsp_server.text.name_bindings import BY_LANGUAGE
from lsp_server.text.scopes import place_of
from lsp_server.text.syntax import Node, Syntax

_DEFINES = re.compile(r"definition|declaration|declarator|_spec$|_item$|import_specifier|import_clause")
_MEMBER = re.compile(r"property_identifier|field_identifier")
_FUNCTION = re.compile(r"function|method|lambda|closure|func_literal|constructor")
_INSTANCES = (b"self", b"cls", b"this")


def left_over(syntax: Syntax, at: Span, old: str) -> tuple[Span, ...]:
    """The uses of a name that was renamed from `old` where the file binds it, at the span `at`.

    Empty where that is not certain: the span is no such binding, or the file binds the old name elsewhere. A
    member of a class is only followed inside the class, where it is reached by `self` or `this`.
    """
    bound = syntax.node(at)
    if bound is None or not _binds(bound) or _is_local(bound):
        return ()
    found = list(_named(syntax, old))
    if any(_binds_anywhere(node, syntax.language.id) for node in found):
        return ()
    if any("shorthand" in node.type for node in found):
        return ()
    if owner := _class_around(bound):
        uses = [each for each in found if _of_instance(each) and _inside(each, owner)]
    else:
        uses = [each for each in found if not _is_member(each) and not _is_keyword(each)]
    return tuple(syntax.span_of(use) for use in uses)


def binds_locally(node: Node, language: str) -> bool:
    """Whether a function's own name is bound at a node."""
    return _is_local(node) and _binds_anywhere(node, language)


def _binds_anywhere(node: Node, language: str) -> bool:
    names = BY_LANGUAGE.get(language)
    return _binds(node) or bool(names and place_of(node, language) in names.binders)


def _named(syntax: Syntax, name: str) -> Iterator[Node]:
    """The nodes that are just this name, in order: not words of strings and comments."""
    wanted = name.encode("utf-8", "replace")
    for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", syntax.text):
        node = syntax.node(Span(syntax.start + match.start(), syntax.start + match.end()))
        if node and node.text == wanted and "identifier" in node.type:
            yield node


def _binds(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    around = parent.parent
    if parent.type == "dotted_name" and parent.named_child_count == 1 and around:
        return bool(around and around.type == "import_from_statement" and parent.prev_sibling) and (
            around.child_by_field_name("module_name") != parent
        )
    if parent.type in ("import_clause", "aliased_import"):
        return parent.child_by_field_name("name") != node
    if parent.type == "assignment" and parent.parent and parent.parent.parent:
        outer = parent.parent.parent  # expression_statement, then the module or the class's body
        return (
            parent.child_by_field_name("left") == node
            and outer.type in ("module", "block")
            and (
                outer.type == "module"
                or (outer.parent is not None and outer.parent.type == "class_definition")
            )
        )
    return parent.child_by_field_name("name") == node and bool(_DEFINES.search(parent.type))


def _is_local(bound: Node) -> bool:
    around = bound.parent.parent if bound.parent else None
    while around is not None and not _FUNCTION.search(around.type):
        around = around.parent
    return around is not None


def _class_around(node: Node) -> Node | None:
    """The class whose member a bound name is; None at the top level."""
    around = node.parent.parent if node.parent else None
    while around is not None and "class" not in around.type:
        around = around.parent
    while around is not None and around.type == "class_body":
        around = around.parent
    return around


def _is_member(node: Node) -> bool:
    """Whether a name is reached through something else, as in `it.name`."""
    parent = node.parent
    if parent is None or _MEMBER.fullmatch(node.type):
        return True
    return parent.type in ("attribute", "field_access", "field_expression") and parent.children[0] != node


def _is_keyword(node: Node) -> bool:
    parent = node.parent
    return bool(parent and parent.type == "keyword_argument" and parent.child_by_field_name("name") == node)


def _of_instance(node: Node) -> bool:
    return _is_member(node) and bool(node.parent and node.parent.children[0].text in _INSTANCES)


def _inside(node: Node, around: Node) -> bool:
    return around.start_byte <= node.start_byte and node.end_byte <= around.end_byte
