from __future__ import annotations

import random
from pathlib import Path

import pytest

from lsp_server.infilling.hole import find
from lsp_server.infilling.validation import validate
from lsp_server.text.document import Edit, Refusal, Snapshot, Span
from lsp_server.text.languages import LANGUAGES, Language, by_id, id_of_path
from lsp_server.text.lines import line_at
from lsp_server.text.parse_region import FAR, NEAR, around
from lsp_server.text.syntax import Parses, parse
from model_runtime.protocol import Done
from tests.support.listings import listing
from tests.support.paths import DATA

PYTHON = next(language for language in LANGUAGES if language.id == "python")
FILES = sorted(path for path in DATA.iterdir() if path.suffix != ".json")
LINE = "    x = 1  # ..............................................................\n"
BODY = LINE * 40  # longer than NEAR
AN_EXAMPLE = 's = """\n\ndef example():\n    pass\n"""\n'
assert NEAR < len(BODY) < 2 * NEAR


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("before", "start"),
    [
        ("\n\ndef f():\n", "def f"),
        ("\n\nclass A(B):\n", "class A"),
        ("\n\n@cache\n@final\nasync def f():\n", "@cache"),
        ("\n\nclass A:\n\n    def f():\n", "class A"),  # the outer one
        ("\n\ndef f():\n    a\n\ndef g():\n", "def g"),  # the last
        ('\n\ndef f():\n    """As in\n\ndef example():\n    """\n', "def f"),  # not in a string
    ],
)
def test_from_a_definition_to_a_definition(before: str, start: str, newline: str) -> None:
    far = LINE * (FAR // len(LINE) + 1)
    text = far + before + BODY + "here\n" + BODY + AN_EXAMPLE + "\n    @p\n    def end(self):\n" + far
    text = text.replace("\n", newline)
    (region,) = around(text, text.index("here"), PYTHON)
    shown = text[region.span.start : region.span.end].replace(newline, "\n")
    assert shown.startswith(start)
    assert shown.endswith(BODY + AN_EXAMPLE + "\n")
    assert shown.count(BODY) == 2


@pytest.mark.parametrize("length", [0, 10, 2 * FAR])
def test_all_of_a_file_that_is_not_long(length: int) -> None:
    text = listing(2 * FAR)[:length]
    assert [region.span for region in around(text, length // 2, PYTHON)] == [Span(0, len(text))]


@pytest.mark.parametrize(
    ("opening", "row", "closing"),
    [("{", "'a': 1", "}"), ("[", "[1, 2]", "]"), ("call(", "a=1", ")"), ("if x:", "y = 1", "")],
)
def test_the_middle_of_a_table(opening: str, row: str, closing: str) -> None:
    line = f"    {row}{',' if closing else ''}\n"
    text = f"x = {opening}\n" + line * 5_000 + f"{closing}\n"
    if not closing:
        text = text[len("x = ") :]
    syntax = Parses().around(Snapshot("a", 1, "python", text), len(text) // 2)
    assert syntax
    assert syntax.errors == 0
    assert len(syntax.text) < 3_000


def test_a_guess_holds_while_its_line_is_typed() -> None:
    rows, parses = "    'a': 1,\n" * 2_000, Parses()
    for typed in ("", "    ", "    'b'", "    'b': f(", "    'b': f(c", "    'b': f(c)", "    'b': f(c),"):
        snapshot = Snapshot("a", 1, "python", "x = {\n" + rows + typed + "\n" + rows + "}\n")
        syntax = parses.around(snapshot, len("x = {\n" + rows + typed))
        assert syntax
        assert syntax.text.startswith("{")


def test_a_line_without_end() -> None:
    text = "x = [" + "1, " * 100_000 + "]\n"
    for region in around(text, len(text) // 2, PYTHON):
        assert region.span.start <= len(text) // 2 <= region.span.end
        assert region.span.end - region.span.start < 4 * FAR


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.id)
def test_any_place_of_any_text(language: Language) -> None:
    text = listing(4 * FAR)
    for offset in range(0, len(text), 991):
        line = line_at(text, offset)
        for region in around(text, offset, language):
            assert region.span.start <= line.start
            assert line.end <= region.span.end
            assert region.span.end - region.span.start < 3 * FAR


WRITTEN = (
    *("value", "f(a)", "self.count(", "a, b)", "'key'", '"', "= =", "return x", "x if y", "def (:", "not in"),
    *("{1: 2", "[]]", "(a, [b])", "lambda: 0", "else:", "#", "pass", "}", "import a.b", "f'{x}'", "\\"),
)


def outcome(snapshot: Snapshot, offset: int, written: str, whole: bool) -> str:
    syntax = parse(snapshot.text, PYTHON) if whole else Parses().around(snapshot, offset)
    hole = find(snapshot, syntax, offset, 64, invoked=True)
    assert not isinstance(hole, Refusal)
    done = Done(1, (written,), confidence=0.5, steps=3, queue_ms=0, prefill_ms=0, denoise_ms=0)
    result = validate(snapshot, syntax, hole, written, done, ms=1.0)
    return result.text if isinstance(result, Edit) else f"refused: {result.reason}"


@pytest.mark.parametrize("seed", [5, 7])
def test_the_verdict_is_that_of_the_whole_files_parse(seed: int) -> None:
    """Where the file was broken before, what the parser makes of it may depend on what else it sees: in
    some of these cases, six in a thousand, text is offered that the whole file's parse would not let pass,
    or the other way round."""
    text, chosen, differing = listing(80_000, seed), random.Random(seed), 0
    for _ in range(120):
        line = line_at(text, chosen.randrange(len(text)))
        offset = chosen.randint(line.start, line.end)
        rest = text[offset : line.end]
        typed = chosen.choice((rest, "", "", rest[len(rest.rstrip(")]}'\",:")) :]))
        snapshot = Snapshot("a", 1, "python", text[:offset] + typed + text[line.end :])
        written = chosen.choice([*WRITTEN, rest, rest, rest[: len(rest) // 2], rest + ")"])
        local, full = (outcome(snapshot, offset, written, whole) for whole in (False, True))
        if local != full:
            before = parse(snapshot.text, PYTHON)
            assert before
            assert before.errors, (text[line.start : offset] + "|" + typed, written, local, full)
            differing += 1
    assert differing <= 2


# How many of a file's parts, between blank lines, can stand in it again and again.
REPEATED = {"Queue.cs": (2, 5), "Queue.java": (3, 6), "queue.cpp": (4, 7), "queue.js": (2, 4)}
REPEATED |= {"queue.rb": (3, 6), "queue.ts": (0, 2), "queue.php": (1, 2)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix[1:])
def test_a_long_file_of_any_language(path: Path) -> None:
    """A region parses as well as the whole file, also where it is cut out of a class."""
    parts = path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    first, last = REPEATED.get(path.name, (0, min(3, len(parts))))
    repeated = "\n\n".join(parts[first:last]) + "\n\n"
    text = "\n\n".join([*parts[:first], repeated * (60_000 // len(repeated)), *parts[last:]]) + "\n"
    language = by_id(id_of_path(path))
    assert language
    whole = parse(text, language)
    assert whole
    assert whole.errors == 0
    broken, places = 0, range(500, len(text), 3_701)
    for offset in places:
        syntax = Parses().around(Snapshot("a", 1, language.id, text), offset)
        assert syntax
        assert len(syntax.text) < 3 * FAR
        broken += syntax.errors > 0
    assert broken <= len(places) // 4
