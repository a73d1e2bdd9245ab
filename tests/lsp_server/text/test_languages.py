from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import PurePath

import pytest
import tree_sitter

from lsp_server.text.languages import KNOWN, LANGUAGES, Language, by_id, canonical, id_of_path
from lsp_server.text.syntax import parse


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.id)
def test_every_grammar_loads(language: Language) -> None:
    assert parse("", language)
    assert all(by_id(alias) is language for alias in language.aliases)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.id)
def test_every_node_name_is_the_grammars(language: Language) -> None:
    grammar = tree_sitter.Language(getattr(importlib.import_module(language.grammar), language.symbol)())
    names = language.strings | language.comments | language.interpolations | language.blocks
    unknown = {name for name in names | language.functions if grammar.id_for_node_kind(name, True) is None}
    assert unknown == set()
    for pattern in (language.opener, language.definition, language.constructor, language.placeholder or ""):
        re.compile(pattern)


def test_no_two_languages_share_an_id_or_extension() -> None:
    ids = Counter(name for each in KNOWN for name in (each.id, *each.aliases))
    extensions = Counter(extension for each in KNOWN for extension in each.extensions)
    assert max(ids.values()) == max(extensions.values()) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.py", "python"),
        ("B.PY", "python"),
        ("a.tsx", "typescriptreact"),
        ("a.d.ts", "typescript"),
        ("a.COB", "cob"),  # no language of the table
        ("Makefile", "plaintext"),
        ("README.md", "markdown"),
        ("a.rst", "restructuredtext"),
        (".py", "plaintext"),  # a hidden file, not an extension
    ],
)
def test_the_language_of_a_path(path: str, expected: str) -> None:
    assert id_of_path(PurePath(path)) == expected


def test_spellings_of_a_language_are_one() -> None:
    assert canonical(["Py", "python3", "C++", "Cobol"]) == {"python", "cpp", "cobol"}
