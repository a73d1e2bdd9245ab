"""Where each language binds a name, in terms of its grammar: what following a rename needs. Plain data.

Renames in a language without an entry are not followed. To add one: its entry here, and its cases in
tests/lsp_server/next_edit/test_renames.py.
"""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[str, str | None]  # type of a name's parent node, and the name's field in it


@dataclass(frozen=True, slots=True)
class Names:
    scopes: frozenset[str]  # nodes that have names of their own
    binders: frozenset[Place]  # here a name is bound in its scope
    foreign: frozenset[Place]  # here it names something else, such as an attribute
    unclear: frozenset[Place] = frozenset()  # here it may be a use or name something else
    shorthands: frozenset[str] = frozenset()  # nodes that use a name and name a property by it at once
    lists: frozenset[str] = frozenset()  # for a name in such a node, the node's own place counts


_JAVASCRIPT = Names(
    scopes=frozenset(
        {
            "function_declaration",
            "generator_function_declaration",
            "function_expression",
            "generator_function",
            "arrow_function",
            "method_definition",
            "class_declaration",
            "class",
        }
    ),
    binders=frozenset(
        {
            ("formal_parameters", None),
            ("required_parameter", "pattern"),  # only in TypeScript
            ("optional_parameter", "pattern"),  # only in TypeScript
            ("assignment_pattern", "left"),
            ("rest_pattern", None),
            ("array_pattern", None),
            ("pair_pattern", "value"),
            ("variable_declarator", "name"),
            ("for_in_statement", "left"),
            ("catch_clause", "parameter"),
            ("arrow_function", "parameter"),
            ("function_declaration", "name"),
            ("generator_function_declaration", "name"),
            ("class_declaration", "name"),
        }
    ),
    foreign=frozenset(),  # properties are nodes of another type
    shorthands=frozenset({"shorthand_property_identifier", "shorthand_property_identifier_pattern"}),
)

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
    "javascript": _JAVASCRIPT,
    "typescript": _JAVASCRIPT,
    "typescriptreact": _JAVASCRIPT,
    "go": Names(
        scopes=frozenset({"function_declaration", "method_declaration", "func_literal"}),
        binders=frozenset(
            {
                ("parameter_declaration", "name"),
                ("variadic_parameter_declaration", "name"),
                ("short_var_declaration", "left"),
                ("range_clause", "left"),
                ("type_switch_statement", "alias"),
                ("var_spec", "name"),
                ("const_spec", "name"),
            }
        ),
        foreign=frozenset(),
        unclear=frozenset({("literal_element", None)}),  # a field or a key of a map
        lists=frozenset({"expression_list"}),
    ),
    "rust": Names(
        scopes=frozenset({"function_item", "closure_expression"}),
        binders=frozenset(
            {
                ("parameter", "pattern"),
                ("closure_parameters", None),
                ("let_declaration", "pattern"),
                ("for_expression", "pattern"),
                ("tuple_pattern", None),
                ("tuple_struct_pattern", None),
                ("slice_pattern", None),
                ("ref_pattern", None),
                ("reference_pattern", None),
                ("mut_pattern", None),
                ("captured_pattern", None),
                ("match_pattern", None),
                ("field_pattern", "pattern"),
                ("let_condition", "pattern"),
                ("function_item", "name"),
            }
        ),
        foreign=frozenset({("tuple_struct_pattern", "type")}),
        unclear=frozenset({("shorthand_field_initializer", None), ("scoped_identifier", "name")}),
        shorthands=frozenset({"shorthand_field_identifier"}),
    ),
    "java": Names(
        scopes=frozenset(
            {"method_declaration", "constructor_declaration", "lambda_expression", "class_declaration"}
        ),
        binders=frozenset(
            {
                ("formal_parameter", "name"),
                ("spread_parameter", "name"),
                ("variable_declarator", "name"),
                ("catch_formal_parameter", "name"),
                ("enhanced_for_statement", "name"),
                ("inferred_parameters", None),
                ("lambda_expression", "parameters"),
                ("resource", "name"),
                ("class_declaration", "name"),
            }
        ),
        foreign=frozenset({("field_access", "field"), ("method_invocation", "name")}),
    ),
}
