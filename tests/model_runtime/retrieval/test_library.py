from __future__ import annotations

from model_runtime.protocol import Texts
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.ngram import NgramModel


def best(library: Library, workspace: str, language: str = "python") -> str:
    while library.work(0.01):
        pass
    corpus = library.corpus(workspace, language)
    return next((each.text for each in NgramModel("total = ", "\n", corpus).compose()), "")


def texts(workspace: str, said: str, language: str = "python", **changes: object) -> Texts:
    return Texts(workspace, language, {"a": f"total = {said}\n"}, **changes)  # type: ignore[arg-type]


def test_workspaces_and_languages_are_apart() -> None:
    library = Library()
    library.put(1, texts("one", "first()"))
    library.put(2, texts("two", "second()"))
    library.put(1, texts("one", "third()", "typescript"))
    assert best(library, "one") == "first()"
    assert best(library, "two") == "second()"
    assert best(library, "one", "javascript") == "third()"
    assert best(library, "three") == ""


def test_what_is_gone_is_not_used() -> None:
    library = Library()
    library.put(1, texts("one", "first()"))
    assert best(library, "one") == "first()"
    library.put(1, Texts("one", gone=("a", "unknown")))
    assert best(library, "one") == ""
    library.put(1, texts("one", "first()"))
    library.put(1, Texts("one", "python", {"b": "total = second()\n"}, renewed=True))
    assert best(library, "one") == "second()"


def test_a_clients_texts_go_with_it() -> None:
    library = Library()
    library.put(1, texts("one", "first()"))
    library.put(2, texts("two", "second()"))
    assert best(library, "one") == "first()"
    library.drop_client(1)
    assert library.has_news
    assert best(library, "one") == ""
    assert best(library, "two") == "second()"


def test_it_says_whether_something_cannot_be_found_yet() -> None:
    library = Library()
    assert not library.indexing
    library.put(1, texts("one", "first()"))
    assert library.indexing
    assert library.corpus("one", "python") is not None  # taken, not indexed
    assert library.indexing
    assert best(library, "one") == "first()"
    assert not library.indexing
