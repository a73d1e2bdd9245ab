from __future__ import annotations

import pytest

from lsp_server.infilling import names
from lsp_server.text.document import Snapshot
from lsp_server.text.syntax import Parses

TEXT = """\
from humanize import naturalsize
# naturalness is a word of a comment only: unlikely
total, totals, value = 0, [], "printable"
"""


@pytest.mark.parametrize(
    ("typed", "written", "rest"),
    [
        ("x = natural", "", "size"),  # the comment's word is no name
        ("x = naturals", "", "ize"),
        ("x = na", "", ""),  # too short
        ("x = na", "turals", "ize"),
        ("def naturals", "", ""),  # a new name
        ("x = tot", "", ""),  # one of two
        ("x = total", "", ""),  # a name itself
        ("x = unli", "", ""),  # in a comment only
        ("x = print", "", ""),  # in a string only
        ("x = val", "", "ue"),
    ],
)
def test_the_rest_of_the_only_name(typed: str, written: str, rest: str) -> None:
    snapshot = Snapshot("file:///a.py", 1, "python", TEXT + typed + "\n")
    at = len(TEXT + typed)
    assert names.rest(snapshot, Parses().around(snapshot, at), at, written) == rest


@pytest.mark.parametrize(
    ("written", "partial"),
    [("tot", True), ("total", False), ("other", False), ("f(", False), ("natural", True)],
)
def test_where_a_name_is_not_at_its_end(written: str, partial: bool) -> None:
    snapshot, at = Snapshot("file:///a.py", 1, "python", TEXT + "x = \n"), len(TEXT) + 4
    assert names.is_partial(snapshot, Parses().around(snapshot, at), at, written) is partial
