"""The languages with a grammar: one small entry each, plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

_BLANK_LINE = r"\n\r?\n"


@dataclass(frozen=True, slots=True)
class Language:
    """What the other modules need to know of a language; node names are its grammar's."""

    id: str  # LSP language id
    grammar: str  # module of the tree-sitter grammar
    comment: str  # what starts a line comment
    aliases: tuple[str, ...] = ()  # other ids that editors send
    extensions: tuple[str, ...] = ()
    strings: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    # The line where a parser can start afresh is this pattern's group. Below a blank line, as others may
    # stand in a string or follow a decorator.
    definition: str = _BLANK_LINE + r"([^\s)\]}])"
    long_quotes: tuple[str, ...] = ()  # that open and close a string of many lines


LANGUAGES = (
    Language(
        id="python",
        grammar="tree_sitter_python",
        comment="#",
        aliases=("py", "python3"),
        extensions=(".py", ".pyi", ".pyw"),
        strings=frozenset({"string", "concatenated_string"}),
        comments=frozenset({"comment"}),
        blocks=frozenset({"block", "module"}),
        definition=_BLANK_LINE
        + r"([ \t]*(?:@[^\n]*\n[ \t]*)*(?:async[ \t]+)?(?:def|class)[ \t]+\w+[ \t]*[(:\[])",
        long_quotes=('"""', "'''"),
    ),
)

_BY_ID = {name: language for language in LANGUAGES for name in (language.id, *language.aliases)}
_BY_EXTENSION = {suffix: language for language in LANGUAGES for suffix in language.extensions}


def by_id(language_id: str) -> Language | None:
    return _BY_ID.get(language_id.lower())


def id_of_path(path: PurePath) -> str:
    """The language id an editor would send for the file; its bare extension where none is known."""
    language = _BY_EXTENSION.get(path.suffix.lower())
    return language.id if language else path.suffix.lower().lstrip(".") or "plaintext"


def watched_globs() -> list[str]:
    """Globs for the files of all languages."""
    return [f"**/*{extension}" for extension in _BY_EXTENSION]


def canonical(ids: Iterable[str]) -> frozenset[str]:
    """Ids with aliases resolved, so that two spellings of a language compare equal."""
    return frozenset(language.id if (language := by_id(name)) else name.lower() for name in ids)
