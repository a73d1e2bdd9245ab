"""Parameters of functions and arguments of their calls, in any grammar that names them so.

What a call refers to is not known here: calls are found by the function's name. Offsets go in and spans come
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lsp_server.text.document import Span
from lsp_server.text.syntax import Node, Syntax

_IMPLICIT = (b"self", b"cls", b"&self", b"&mut self")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function at one place, and the function."""

    function: str
    index: int  # among the parameters that a call names, from 0
    count: int  # of them
    optional: bool  # it has a default, or takes any number of arguments


@dataclass(frozen=True, slots=True)
class Call:
    arguments: tuple[Span, ...]
    keywords: tuple[str, ...]  # of the arguments, "" where there is none
    end: int  # where the closing bracket is
    around: Span | None  # the function that the call is in, up to the call; None outside of functions


def parameter(syntax: Syntax, at: Span) -> Parameter | None:
    """The parameter that a span is in."""
    node = found = syntax.node(at)
    while node is not None and (node.parent is None or node.parent.child_by_field_name("parameters") != node):
        if node.type in syntax.language.blocks:
            return None
        found, node = node, node.parent
    if node is None or node.parent is None or node.has_error or node == found:
        return None
    name = node.parent.child_by_field_name("name")
    named = [each for each in node.named_children if each.text not in _IMPLICIT]
    if name is None or name.text is None or found is None or found not in named:
        return None
    text = found.text or b""
    optional = b"=" in text or b"?" in text or b"..." in text or text.startswith(b"*")
    return Parameter(name.text.decode("utf-8", "replace"), named.index(found), len(named), optional)


def calls(syntax: Syntax, function: str) -> Iterator[Call]:
    """The calls of what has a name, in order; those that do not parse are left out."""
    for match in re.finditer(rf"(?<!\w){re.escape(function)}(?=\s*\()", syntax.text):
        node = syntax.node(Span(syntax.start + match.start(), syntax.start + match.end()))
        while node is not None and node.parent and node.parent.end_byte == node.end_byte:
            node = node.parent  # what reaches it, as in `it.name`
        call = node.parent if node else None
        arguments = call.child_by_field_name("arguments") if call else None
        if call is None or arguments is None or call.has_error or call.children[0] != node:
            continue
        children = [each for each in arguments.named_children if each.type not in syntax.language.comments]
        around = _function_around(call)
        yield Call(
            tuple(syntax.span_of(each) for each in children),
            tuple(_keyword(each) for each in children),
            syntax.offset(arguments.end_byte) - 1,
            Span(syntax.offset(around.start_byte), syntax.offset(call.start_byte)) if around else None,
        )


def keyword_span(syntax: Syntax, argument: Span) -> Span | None:
    """The keyword of an argument that has one."""
    node = syntax.node(argument)
    name = node.child_by_field_name("name") if node and node.type == "keyword_argument" else None
    return syntax.span_of(name) if name else None


def _keyword(argument: Node) -> str:
    name = argument.child_by_field_name("name") if argument.type == "keyword_argument" else None
    return (name.text or b"").decode("utf-8", "replace") if name else ""


def _function_around(node: Node) -> Node | None:
    around = node.parent
    while around is not None and around.child_by_field_name("parameters") is None:
        around = around.parent
    return around
