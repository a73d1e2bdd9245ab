"""The languages that are known: those with a grammar, and prose. One small entry each, plain data.

Longer than other modules because it is one table; each part of it would be looked for in all the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath

_BLANK_LINE = r"\n\r?\n"
_MEMBER = _BLANK_LINE + r"([ \t]*[^\s)\]}*])"  # a line below a blank one, however far indented
_BRACES = r"\{$|^\s*(?:case\b.*|default|public|private|protected):$"


@dataclass(frozen=True, slots=True)
class Language:
    """What the other modules need to know of a language. Names of nodes are those of its grammar."""

    id: str  # LSP language id
    grammar: str  # module of the tree-sitter grammar; empty where there is none
    comment: str = ""  # what starts a line comment, if anything does
    symbol: str = "language"  # function of the module that gives the grammar
    aliases: tuple[str, ...] = ()  # other ids that editors send
    extensions: tuple[str, ...] = ()
    # Names of nodes.
    strings: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset({"comment"})
    interpolations: frozenset[str] = frozenset()  # code inside strings
    blocks: frozenset[str] = frozenset()  # their children are statements
    # Lines, where a parse does not help.
    opener: str = _BRACES  # matches a line that opens a block, to go on in the lines below
    quotes: str = "\"'"  # each opens and closes a string within a line
    long_quotes: tuple[str, ...] = ()  # each opens and closes a string of many lines
    # A parser can start afresh where this pattern's group starts: at a definition below a blank line (without
    # the blank line it may stand in a string or follow a decorator). An indented one is parsed inside `wrap`.
    definition: str = _BLANK_LINE + r"([^\s)\]}])"
    wrap: tuple[str, str] = ("", "")
    # Placeholders: bodies of functions that do nothing yet.
    functions: frozenset[str] = frozenset()  # nodes
    placeholder: str | None = None  # matches the one statement of such a body; None: there are none
    docstrings: bool = False  # a body may begin with a string that documents it
    empty_bodies: bool = True  # an empty body is a placeholder too,
    constructor: str = r"(?!)"  # unless the line it begins on matches this before it
    prose: bool = False  # text, not code: judged by lines and brackets alone
    fences: bool = False  # it may hold code in fences, each in its own language


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_JAVASCRIPT = Language(
    id="javascript",
    grammar="tree_sitter_javascript",
    comment="//",
    aliases=("js", "javascriptreact", "jsx"),
    extensions=(".js", ".mjs", ".cjs", ".jsx"),
    strings=_set("string template_string regex jsx_text"),
    interpolations=_set("template_substitution jsx_expression"),
    blocks=_set("program statement_block class_body switch_case switch_default"),
    quotes="\"'`",
    definition=_MEMBER,
    wrap=("class A {", "}"),
    functions=_set("function_declaration generator_function_declaration method_definition"),
    constructor=r"\bconstructor\b",
    placeholder=r"(?i:throw new Error\((['\"`])(?:todo|not (?:yet )?implemented).*\);?)",
)

_C = Language(
    id="c",
    grammar="tree_sitter_c",
    comment="//",
    extensions=(".c", ".h"),
    strings=_set("string_literal char_literal system_lib_string"),
    blocks=_set("translation_unit compound_statement field_declaration_list"),
    functions=_set("function_definition"),
    placeholder=r"(?i:abort\(\);|assert\((?:0|false)\);)",
)

LANGUAGES = (
    Language(
        id="python",
        grammar="tree_sitter_python",
        comment="#",
        aliases=("py", "python3"),
        extensions=(".py", ".pyi", ".pyw"),
        strings=_set("string concatenated_string"),
        interpolations=_set("interpolation"),
        blocks=_set("block module"),
        opener=r"^\s*(?:\)|(?:async\s+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b)"
        r".*:$",
        definition=_BLANK_LINE
        + r"([ \t]*(?:@[^\n]*\n[ \t]*)*(?:async[ \t]+)?(?:def|class)[ \t]+\w+[ \t]*[(:\[])",
        long_quotes=('"""', "'''"),
        functions=_set("function_definition"),
        placeholder=r"pass|\.\.\.|raise NotImplementedError(?:\([^\n]*\))?",
        docstrings=True,
        empty_bodies=False,
    ),
    _JAVASCRIPT,
    replace(
        _JAVASCRIPT,
        id="typescript",
        grammar="tree_sitter_typescript",
        symbol="language_typescript",
        aliases=("ts",),
        extensions=(".ts", ".mts", ".cts"),
        strings=_set("string template_string regex"),
        interpolations=_set("template_substitution"),
        blocks=_JAVASCRIPT.blocks | _set("interface_body object_type enum_body"),
    ),
    replace(
        _JAVASCRIPT,
        id="typescriptreact",
        grammar="tree_sitter_typescript",
        symbol="language_tsx",
        aliases=("tsx",),
        extensions=(".tsx",),
        blocks=_JAVASCRIPT.blocks | _set("interface_body object_type enum_body"),
    ),
    Language(
        id="rust",
        grammar="tree_sitter_rust",
        comment="//",
        aliases=("rs",),
        extensions=(".rs",),
        strings=_set("string_literal raw_string_literal char_literal"),
        comments=_set("line_comment block_comment"),
        blocks=_set("source_file block declaration_list"),
        quotes='"',
        definition=_MEMBER,
        wrap=("impl A {", "}"),
        functions=_set("function_item"),
        placeholder=r"(?:todo|unimplemented)!\([^\n]*\);?",
    ),
    Language(
        id="go",
        grammar="tree_sitter_go",
        comment="//",
        aliases=("golang",),
        extensions=(".go",),
        strings=_set("interpreted_string_literal raw_string_literal rune_literal"),
        blocks=_set("source_file block statement_list field_declaration_list import_spec_list"),
        opener=r"[{(]$|^\s*(?:case\b.*|default):$",
        quotes="\"'`",
        functions=_set("function_declaration method_declaration"),
        placeholder=r"(?i:panic\((['\"`])(?:todo|(?:not |un)(?:yet )?implemented).*\))",
    ),
    _C,
    replace(
        _C,
        id="cpp",
        grammar="tree_sitter_cpp",
        aliases=("c++", "cc", "cuda-cpp"),
        extensions=(".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx"),
        strings=_C.strings | _set("raw_string_literal"),
        blocks=_C.blocks | _set("declaration_list"),
        definition=_MEMBER,
        wrap=("class A {", "};"),
        constructor=r"\)\s*:[^:]",
        placeholder=r"(?i:abort\(\);|assert\((?:0|false)\);)"
        r"|throw std::\w+\((?i:\"(?:todo|not (?:yet )?implemented).*)\);",
    ),
    Language(
        id="java",
        grammar="tree_sitter_java",
        comment="//",
        extensions=(".java",),
        strings=_set("string_literal character_literal"),
        comments=_set("line_comment block_comment"),
        interpolations=_set("string_interpolation"),
        blocks=_set("program block class_body interface_body enum_body_declarations constructor_body"),
        long_quotes=('"""',),
        definition=_MEMBER,
        wrap=("class A {", "}"),
        functions=_set("method_declaration"),
        placeholder=r"throw new (?:UnsupportedOperation|NotImplemented|Runtime)Exception\([^\n]*\);",
    ),
    Language(
        id="csharp",
        grammar="tree_sitter_c_sharp",
        comment="//",
        aliases=("cs", "c#"),
        extensions=(".cs",),
        strings=_set(
            "string_literal verbatim_string_literal raw_string_literal character_literal"
            " interpolated_string_expression"
        ),
        interpolations=_set("interpolation"),
        blocks=_set("compilation_unit block declaration_list"),
        long_quotes=('"""',),
        definition=_MEMBER,
        wrap=("class A {", "}"),
        functions=_set("method_declaration local_function_statement"),
        placeholder=r"throw new NotImplementedException\([^\n]*\);",
    ),
    Language(
        id="ruby",
        grammar="tree_sitter_ruby",
        comment="#",
        aliases=("rb",),
        extensions=(".rb", ".rake", ".gemspec"),
        strings=_set("string chained_string heredoc_body regex string_array symbol_array delimited_symbol"),
        interpolations=_set("interpolation"),
        blocks=_set("program body_statement then else ensure block_body do begin"),
        opener=r"(?:\b(?:do|then|else|begin|ensure)|\{)(?:\s*\|[^|]*\|)?$"
        r"|^\s*(?:def\s+[\w.?!=]+(?:\(.*\))?|(?:class|module)\s+[\w:]+(?:\s*<\s*[\w:]+)?)$",
        definition=_MEMBER,
        wrap=("class A;", "\nend"),
        functions=_set("method singleton_method"),
        placeholder=r"raise NotImplementedError(?:[ (,][^\n]*)?",
    ),
    Language(
        id="php",
        grammar="tree_sitter_php",
        symbol="language_php",
        comment="//",
        extensions=(".php",),
        strings=_set("string encapsed_string heredoc nowdoc shell_command_expression"),
        blocks=_set("program compound_statement declaration_list"),
        definition=_MEMBER,
        wrap=("<?php class A {", "}"),
        functions=_set("function_definition method_declaration"),
        placeholder=r"(?i:throw new \\?\w*Exception\((['\"])(?:todo|not (?:yet )?implemented).*\);)",
    ),
    Language(
        id="shellscript",
        grammar="tree_sitter_bash",
        comment="#",
        aliases=("bash", "sh", "shell", "zsh"),
        extensions=(".sh", ".bash"),
        strings=_set("string raw_string ansi_c_string heredoc_body"),
        interpolations=_set("command_substitution expansion simple_expansion"),
        blocks=_set(
            "program compound_statement do_group if_statement else_clause elif_clause case_item subshell"
        ),
        opener=r"(?:\b(?:then|do|else|in)|(?:^|\s)[{(])$|^\s*[^()\s]+\)$",
        functions=_set("function_definition"),
        placeholder=r":|true|exit 1",
    ),
    Language(
        id="lua",
        grammar="tree_sitter_lua",
        comment="--",
        extensions=(".lua",),
        strings=_set("string"),
        blocks=_set("chunk block"),
        opener=r"(?:\b(?:do|then|else|repeat)|\bfunction\s*[\w.:]*\([^()]*\)|\{)$",
        functions=_set("function_declaration"),
        placeholder=r"(?i:error\((['\"])(?:todo|not (?:yet )?implemented).*\))",
    ),
    Language(
        id="html",
        grammar="tree_sitter_html",
        aliases=("htm",),
        extensions=(".html", ".htm"),
        strings=_set("quoted_attribute_value"),
        blocks=_set("document element"),
        opener=r"(?!)",
        quotes="",
    ),
    Language(
        id="css",
        grammar="tree_sitter_css",
        extensions=(".css",),
        strings=_set("string_value"),
        comments=_set("comment js_comment"),
        blocks=_set("stylesheet block"),
    ),
    Language(
        id="json",
        grammar="tree_sitter_json",
        aliases=("jsonc",),
        extensions=(".json", ".jsonc"),
        strings=_set("string"),
        opener=r"[{\[]$",
        quotes='"',
        definition=r"(?!)",
    ),
    Language(
        id="yaml",
        grammar="tree_sitter_yaml",
        comment="#",
        aliases=("yml",),
        extensions=(".yaml", ".yml"),
        strings=_set("single_quote_scalar double_quote_scalar block_scalar"),
        blocks=_set("block_mapping block_sequence"),
        opener=r"[:|>-]$",
        definition=r"\n(?!\s)()(?=[\w\"'-]+:)",
    ),
    Language(
        id="toml",
        grammar="tree_sitter_toml",
        comment="#",
        extensions=(".toml",),
        strings=_set("string quoted_key"),
        blocks=_set("document table table_array_element"),
        opener=r"=\s*\[$|^\s*\[.*\]$",
        long_quotes=('"""', "'''"),
        definition=_BLANK_LINE + r"(\[)",
    ),
)

_TEXT = Language(
    id="plaintext",
    grammar="",
    aliases=("text", "txt"),
    extensions=(".txt",),
    comments=frozenset(),
    opener=r"(?!)",
    quotes="",
    definition=r"(?!)",
    empty_bodies=False,
    prose=True,
)

PROSE = (
    _TEXT,
    replace(_TEXT, id="markdown", aliases=("md",), extensions=(".md", ".markdown"), fences=True),
    replace(_TEXT, id="restructuredtext", aliases=("rst",), extensions=(".rst",)),
    replace(_TEXT, id="git-commit", aliases=("gitcommit",), extensions=()),
)

KNOWN = (*LANGUAGES, *PROSE)
_BY_ID = {name: language for language in KNOWN for name in (language.id, *language.aliases)}
_BY_EXTENSION = {suffix: language for language in KNOWN for suffix in language.extensions}


def by_id(language_id: str) -> Language | None:
    return _BY_ID.get(language_id.lower())


def id_of_path(path: PurePath) -> str:
    """The language id an editor would send for the file; its bare extension where none is known."""
    language = _BY_EXTENSION.get(path.suffix.lower())
    return language.id if language else path.suffix.lower().lstrip(".") or "plaintext"


def is_prose(language_id: str) -> bool:
    language = by_id(language_id)
    return language is not None and language.prose


def watched_globs() -> list[str]:
    """Globs for the files of all languages."""
    return [f"**/*{extension}" for extension in _BY_EXTENSION]


def canonical(ids: Iterable[str]) -> frozenset[str]:
    """Ids with aliases resolved, so that two spellings of a language compare equal."""
    return frozenset(language.id if (language := by_id(name)) else name.lower() for name in ids)
