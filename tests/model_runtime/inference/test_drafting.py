"""Where drafts come from: other places, the rest of the last fill, the n-gram model."""

from __future__ import annotations

import dataclasses

import pytest

from model_runtime.inference import drafting
from model_runtime.inference.drafting import Drafting, around
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.protocol import Fixed, Infill, Slot, Texts
from model_runtime.retrieval.library import Library


def request(before: str, after: str = "\n", prefix: str = "", document: str = "d", **more) -> Infill:
    canvas = (Fixed(before), Slot(8), Fixed(after))
    return Infill(id=1, document=document, prefix=prefix, canvas=canvas, **more)


TWO = Infill(id=1, document="d", prefix="p", canvas=(Fixed("a"), Slot(2), Fixed("b"), Slot(2), Fixed("c")))


def drafts(source: Drafting, asked: Infill) -> list[str]:
    return [draft.text for draft in source.drafts(asked)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(request("x = ", prefix="y\n"), ("y\nx = ", "\n")), (TWO, ("pa", "c"))],
)
def test_the_text_around_all_holes(asked: Infill, expected: tuple[str, str]) -> None:
    assert around(asked) == expected


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        (request("x = alp", prefix="a\n"), "ha + beta"),  # typed on
        (request("x = alp", prefix="a\n", context=("a\nx = alpine\n",)), "ha + beta"),  # before "ine"
        (request("x = alp", prefix="a\n", document="another"), None),
        (request("y = alp", prefix="a\n"), None),
        (request("x = (", prefix="a\n"), None),
    ],
)
def test_the_rest_of_the_last_fill_comes_first(asked: Infill, first: str | None) -> None:
    source = Drafting(EMBEDDED)
    source.remember(request("x = ", prefix="a\n"), ["alpha + beta"])
    assert next(iter(drafts(source, asked)), None) == first


def test_other_files_are_looked_at() -> None:
    asked = request("total = price", context=("total = price * count\n",))
    assert drafts(Drafting(EMBEDDED), asked) == [" * count"]
    none = dataclasses.replace(EMBEDDED, drafts=0)
    assert drafts(Drafting(none), asked) == []


def test_several_holes_get_no_drafts() -> None:
    source = Drafting(EMBEDDED)
    assert source.drafts(TWO) == []
    assert source.ngrams(TWO) is None


def test_only_so_many_documents_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "REMEMBERED", 2)
    source = Drafting(EMBEDDED)
    for document in ("a", "b", "a", "c"):
        source.remember(request("x = ", document=document), ["alpha + beta"])
    left = [d for d in "abc" if drafts(source, request("x = alp", document=d))]
    assert left == ["a", "c"]


def test_the_library_comes_before_what_the_request_brings() -> None:
    asked = request("total = price", prefix="", context=("total = price + tax\n",), workspace="w")
    source = Drafting(EMBEDDED)
    texts = {"a.py": "total = price * count\n" * 3}

    def best() -> str:
        model = source.ngrams(asked)
        assert model
        return model.compose()[0].text

    assert best() == " + tax"
    source.library = Library()
    assert best() == " + tax", "nothing was told"
    source.library.put("client", Texts(workspace="w", language="", texts=texts))
    while source.library.work(1.0):
        pass
    assert best() == " * count"
    untaught = Drafting(dataclasses.replace(EMBEDDED, composed=0))
    assert untaught.ngrams(asked) is None


def test_the_words_of_only_so_many_documents_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "NUMBERED", 2)
    source = Drafting(EMBEDDED)
    for document in "abca":
        model = source.ngrams(request("x = ", prefix="x = area(b)\ny = 1\n", document=document))
        assert model
        assert model.compose()[0].text == "area(b)"
    assert list(source._documents) == ["c", "a"]
