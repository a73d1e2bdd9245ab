from __future__ import annotations

import importlib

import pytest
import tree_sitter

from lsp_server.text.languages import by_id
from lsp_server.text.name_bindings import BY_LANGUAGE

# The table of JavaScript has nodes that only TypeScript's grammar knows.
ALSO = {"javascript": "typescript"}


def grammar(language_id: str) -> tree_sitter.Language:
    language = by_id(language_id)
    assert language
    return tree_sitter.Language(getattr(importlib.import_module(language.grammar), language.symbol)())


@pytest.mark.parametrize("language", BY_LANGUAGE)
def test_every_node_and_field_is_the_grammars(language: str) -> None:
    names = BY_LANGUAGE[language]
    places = names.binders | names.foreign | names.unclear
    nodes = names.scopes | names.shorthands | names.lists | {node for node, _ in places}
    fields = {field for _, field in places if field}
    known = [grammar(each) for each in {language, ALSO.get(language, language)}]
    assert {name for name in nodes if not any(it.id_for_node_kind(name, True) for it in known)} == set()
    assert {name for name in fields if not any(it.field_id_for_name(name) for it in known)} == set()
