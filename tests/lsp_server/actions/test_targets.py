"""Which hole each action has, in texts with `[` and `]` around the selection or diagnostic."""

from __future__ import annotations

import pytest

from lsp_server.actions import targets
from lsp_server.config.settings import Settings
from lsp_server.infilling.hole import Hole
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import Syntax, parse

SETTINGS = Settings()


def marked(text: str, language: str = "python") -> tuple[Snapshot, Syntax, Span]:
    start = text.index("[")
    end = text.index("]") - 1
    snapshot = Snapshot("file:///a.py", 1, language, text.replace("[", "").replace("]", ""))
    known = by_id(language)
    assert known
    syntax = parse(snapshot.text, known)
    assert syntax
    return snapshot, syntax, Span(start, end)


def check(snapshot: Snapshot, found: Hole | Refusal | None, expected: str | None) -> None:
    """`expected`: the text that the hole replaces, or `!` and the reason of a refusal; None for no hole."""
    if isinstance(found, Hole):
        assert snapshot.text[found.span.start : found.span.end] == expected
    else:
        assert (f"!{found.reason}" if found else None) == expected


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("a = [b + c]\n", "b + c", "selection"),
        ("a = [b + c\n]", "b + c", "selection"),  # without the blanks around it
        ("[a]\n", "a", "selection"),
        ("[a = <fill>]\n", "a = <fill>", "selection"),
        ("a = <fill>[]\n", "<fill>", "rest-of-line"),  # a cursor
        ("a = [<]fill>\n", "<fill>", "rest-of-line"),  # a cursor that is one character, as in Helix
        ("def f():\n[    pass\n]", "pass", "body"),  # a cursor that is its line, as in Vim
        ("a = []1\n", "!no-hole", None),
        ("[  ]\n", "!no-hole", None),
        ("a = [" + "b + " * 100 + "c]\n", "!too-long", None),
    ],
)
def test_to_fill(text: str, expected: str, kind: str | None) -> None:
    snapshot, syntax, span = marked(text)
    found = targets.to_fill(snapshot, syntax, span, SETTINGS)
    check(snapshot, found, expected)
    assert (found.kind if isinstance(found, Hole) else None) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = [c] + 1\n", "b = c + 1"),
        ("def f():\n    return [c].d\n", "return c.d"),
        ("a = [1\nb] = 2\n", "!no-statement"),  # in no one statement
        ("a = ([c],\n" + "    d,\n" * 100 + ")\n", "!too-long"),
    ],
)
def test_to_fix(text: str, expected: str) -> None:
    snapshot, syntax, span = marked(text)
    check(snapshot, targets.to_fix(snapshot, syntax, span, SETTINGS), expected)


@pytest.mark.parametrize(
    ("text", "expected", "lead"),
    [
        ("def f():\n    return []1\n", "", '"""'),
        ('def f():\n    """Old text."""\n    return []1\n', "Old text.", ""),
        ('def f():\n    """Old text.\n\n    More.\n    """\n    return []1\n', "Old text.", ""),
        ("def f():\n    r'Old text.'\n    return []1\n", "Old text.", ""),
        ('def f():\n    """"""\n    return []1\n', None, ""),
        ("def f(): return []1\n", None, ""),  # no line of its own
        ("a = []1\n", None, ""),
    ],
)
def test_of_docstring(text: str, expected: str | None, lead: str) -> None:
    snapshot, syntax, span = marked(text)
    found = targets.of_docstring(snapshot, syntax, span.start, SETTINGS)
    check(snapshot, found, expected)
    if found:
        assert found.lead == lead


def test_a_new_docstring_has_a_line_of_its_own() -> None:
    snapshot, syntax, span = marked("def f():\r\n\treturn []1\r\n")
    found = targets.of_docstring(snapshot, syntax, span.start, SETTINGS)
    assert found
    text = snapshot.text
    made = text[: found.span.start] + found.lead + "New." + found.trail + text[found.span.end :]
    assert made == 'def f():\r\n\t"""New."""\r\n\treturn 1\r\n'


def test_a_language_without_docstrings() -> None:
    snapshot, syntax, span = marked("function f() {\n  return []1;\n}\n", "javascript")
    assert targets.of_docstring(snapshot, syntax, span.start, SETTINGS) is None


@pytest.mark.parametrize(
    ("language", "text", "message", "expected"),
    [
        ("python", "def f():\n    return [a]\n", "undefined\n  name `a`", "    # undefined name `a`\n"),
        ("javascript", "\treturn [a]\n", " undefined ", "\t// undefined\n"),
        ("python", "[a]\n", "x" * 300, "# " + "x" * 200 + "\n"),
        ("python", "[a]\n", " \n", ""),
        ("cobol", "[a]\n", "undefined", ""),  # not known
    ],
)
def test_as_comment(language: str, text: str, message: str, expected: str) -> None:
    at = text.index("[")
    snapshot = Snapshot("file:///a", 1, language, text.replace("[", "").replace("]", ""))
    assert targets.as_comment(snapshot, Span(at, at + 1), message) == expected


@pytest.mark.parametrize("limit", [10, 1_000_000])
def test_placeholders_of_a_long_document(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "PARSED_CHARS", limit)
    snapshot = Snapshot("file:///a.py", 1, "python", "def f():\n    pass\n\n\na = <fill>\n")
    found = [
        snapshot.text[hole.span.start : hole.span.end] for hole in targets.placeholders(snapshot, SETTINGS)
    ]
    assert found == (["pass", "<fill>"] if limit > 10 else ["<fill>"])


def test_markers_do_not_hide_the_placeholders_around_them() -> None:
    text = "class A:\n    x = [<fill>, (<fill>\n\n    def f(self):\n        pass\n\n\ndef g():\n    <fill>\n"
    text = text.replace("(<fill>", "<fill>]")
    snapshot = Snapshot("file:///a.py", 1, "python", text)
    found = [text[each.span.start : each.span.end] for each in targets.placeholders(snapshot, SETTINGS)]
    assert found == ["<fill>", "<fill>", "pass", "<fill>"]
