from __future__ import annotations

import pytest

from lsp_server.infilling import repair
from lsp_server.infilling.hole import Hole
from lsp_server.infilling.repair import Repair
from lsp_server.text.document import Span
from lsp_server.text.languages import by_id
from lsp_server.text.syntax import parse
from model_runtime.protocol import Fixed, Slot


@pytest.mark.parametrize(
    ("known", "text", "kept"),
    [
        ("a = |\nb = 1\n", "x = = 2", ("x =", "2")),
        ("a = |\n", "1 + 2", None),  # nothing against it
        ("a = |\n", ")", None),  # nothing to keep
        ("# é😀\na = |\n", "é = = 2", ("é =", "2")),
    ],
)
def test_what_is_kept(known: str, text: str, kept: tuple[str, str] | None) -> None:
    at = known.index("|")
    known = known.replace("|", "")
    language = by_id("python")
    assert language
    syntax = parse(known, language)
    assert syntax
    found = repair.plan(text, known, Hole(Span(at, at), "rest-of-line", 24), syntax)
    assert (found and (found.before.rstrip(), found.after.lstrip())) == kept


def test_only_the_faulty_part_is_left_to_denoise() -> None:
    pieces = (Fixed("a = "), Slot(24), Fixed("\n"))
    assert Repair("f(", ")", 5).canvas(pieces) == (Fixed("a = f("), Slot(5), Fixed(")\n"))
    assert Repair("", ")", 5).canvas((Slot(24),)) == (Slot(5), Fixed(")"))
