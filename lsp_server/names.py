"""Where each language binds a name, as its grammar says it: what it takes to follow a rename. Plain data.

A place is the type of the name's parent node and the name's field in it. A language that is not here has its
renames left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Names:
    scopes: frozenset[str]  # nodes with names of their own
    binders: frozenset[Place]  # the name becomes the scope's
    foreign: frozenset[Place]  # the name is some other thing's, such as an attribute's


BY_LANGUAGE = {
    "python": Names(
        scopes=frozenset({"function_definition", "lambda", "class_definition"}),
        binders=frozenset(
            {
                ("parameters", None),
                ("lambda_parameters", None),
                ("default_parameter", "name"),
                ("typed_parameter", None),
                ("typed_default_parameter", "name"),
                ("list_splat_pattern", None),
                ("dictionary_splat_pattern", None),
                ("assignment", "left"),
                ("pattern_list", None),
                ("tuple_pattern", None),
                ("list_pattern", None),
                ("for_statement", "left"),
                ("for_in_clause", "left"),
                ("as_pattern_target", None),
                ("named_expression", "name"),
                ("aliased_import", "alias"),
                ("dotted_name", None),
                ("function_definition", "name"),
                ("class_definition", "name"),
            }
        ),
        foreign=frozenset({("attribute", "attribute"), ("keyword_argument", "name")}),
    ),
}
