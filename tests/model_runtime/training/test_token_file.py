"""Documents that come back from a packed corpus as they went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_runtime.training import token_file
from model_runtime.training.documents import tokenize
from model_runtime.training.token_file import Contents, Origin
from model_runtime.training.vocabulary import Ids
from tests.support import tiny

TEXTS = {"a/one.py": tiny.SOURCE, "a/two.py": "x = '<pad> é'\n\n\ny = 2\n", "b.py": "z = 3\n"}


def packed(path: Path) -> Path:
    """Two projects; the second is held out."""
    ids = Ids(tiny.tokenizer())
    arrays = [np.asarray(ids.encode(text), np.uint16) for text in TEXTS.values()]
    origins = [
        Origin(int(name == "b.py"), name, len(a), name == "b.py")
        for name, a in zip(TEXTS, arrays, strict=True)
    ]
    projects = [("p", "1", "MIT"), ("q", "2", "BSD")]
    token_file.write(path, Contents("recipe", projects, origins, tiny.tokenizer().to_str()), arrays)
    return path


def test_documents_come_back_as_they_went_in(tmp_path: Path) -> None:
    path = packed(tmp_path / "corpus.xz")
    assert token_file.recipe_of(path) == "recipe"
    opened = token_file.open_packed(path, tmp_path / "open")
    ids = Ids(tiny.tokenizer())
    learnt = opened.documents(held_out=False)
    assert [(each.project, each.path) for each in learnt] == [("p", "a/one.py"), ("p", "a/two.py")]
    for document in [*learnt, *opened.documents(held_out=True)]:
        expected = tokenize(TEXTS[document.path], ids)
        assert list(document.lines) == expected.lines
        assert document.lines[1:3] == expected.lines[1:3]
        assert np.array_equal(document.ids, expected.ids)
        assert np.array_equal(document.starts, expected.starts)


def test_it_is_unpacked_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path, folder = packed(tmp_path / "corpus.xz"), tmp_path / "open"
    token_file.open_packed(path, folder)
    (folder / "contents.json").write_text((folder / "contents.json").read_text().replace('"p"', '"r"'))
    assert token_file.open_packed(path, folder).documents(held_out=False)[0].project == "r"
    other = [Origin(0, "new.py", 1, False)]
    projects = [("p", "1", "MIT")]
    contents = Contents("other", projects, other, tiny.tokenizer().to_str())
    token_file.write(path, contents, [np.asarray(Ids(tiny.tokenizer()).encode("\n"), np.uint16)])
    assert [d.path for d in token_file.open_packed(path, folder).documents(held_out=False)] == ["new.py"]
