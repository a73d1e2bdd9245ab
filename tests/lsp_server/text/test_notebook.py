from __future__ import annotations

import pytest

from lsp_server.text import notebook
from lsp_server.text.buffer import Buffer
from lsp_server.text.notebook import Notebook


def around(cells: dict[str, str], cell: str, line: int = 0) -> tuple[str, int]:
    """Text and first line of a cell's snapshot among the others; names begin with their language."""
    documents = {name: Buffer(name, 1, name.partition("-")[0], text) for name, text in cells.items()}
    snapshot = Notebook("n", tuple(cells)).around(documents[cell].snapshot(line), documents)
    return snapshot.text, snapshot.first_line


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"py-x": "x"}, ("x", 0)),
        ({"py-1": "a", "py-x": "x"}, ("a\nx", -1)),
        ({"py-1": "a\n", "py-x": "x\n", "py-2": "b\n"}, ("a\n\nx\n\nb\n", -2)),
        ({"py-1": "a\r\nb", "py-x": "x", "py-2": ""}, ("a\r\nb\nx\n", -2)),
        ({"md-1": "prose", "py-1": "a", "sh-1": "ls", "py-x": "x", "md-2": "more"}, ("a\nx", -1)),
        ({"py-x": "", "py-2": "b", "py-3": "c"}, ("\nb\nc", 0)),
    ],
)
def test_the_other_cells_stand_around(cells: dict[str, str], expected: tuple[str, int]) -> None:
    assert around(cells, "py-x") == expected


def test_only_as_far_as_anyone_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "REACH", 10)
    cells = {"py-1": "far away\n", "py-2": "long line\nnear", "py-x": "x", "py-3": "after, but not all of it"}
    assert around(cells, "py-x") == ("near\nx\nafter, but", -1)


def test_a_cell_that_is_in_no_notebook() -> None:
    alone = Buffer("py-x", 1, "py", "x")
    assert Notebook("n", ("py-1",)).around(alone.snapshot(0), {"py-x": alone}).text == "x"


def test_cells_come_and_go() -> None:
    cells = Notebook("n", ("a", "b", "c"))
    assert cells.splice(1, 1, ["d", "e"]).cells == ("a", "d", "e", "c")
    assert cells.splice(3, 0, ["d"]).cells == ("a", "b", "c", "d")
    assert cells.splice(0, 3, []).cells == ()
