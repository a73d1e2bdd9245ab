from __future__ import annotations

import pytest

from lsp_server.context import symbol_index
from lsp_server.context.outline import Outline, Signature
from lsp_server.context.symbol_index import COMMON, SymbolIndex


def outline(key: str, *names: str, text: str | None = None, stamp: tuple[int, int] = (1, 1)) -> Outline:
    return Outline(key, "python", tuple(Signature(name, f"def {name}()") for name in names), "", text, stamp)


def test_signatures_the_nearest_last() -> None:
    it = SymbolIndex()
    for key in ("/p/a/x.py", "/p/b/y.py", "/z.py"):
        it.take(outline(key, "f"))
    assert [key for key, _ in it.signatures("f", "python", "/p/b/main.py")][-1] == "/p/b/y.py"
    assert it.signatures("f", "go", "/p/main.go") == []
    assert it.signatures("g", "python", "/p/main.py") == []


def test_a_common_name_tells_nothing() -> None:
    it = SymbolIndex()
    for n in range(COMMON + 1):
        it.take(outline(f"/{n}.py", "get"))
    assert it.signatures("get", "python", "/a.py") == []
    it.forget(["/0.py"])
    assert len(it.signatures("get", "python", "/a.py")) == COMMON


def test_an_open_document_outweighs_its_file() -> None:
    it = SymbolIndex()
    it.take(outline("/a.py", "on_disk", text="on disk"))
    it.opened("/a.py")
    assert it.signatures("on_disk", "python", "/b.py") == []
    assert it.take(outline("/a.py", "opened", text="opened", stamp=(0, 0)))
    assert not it.take(outline("/a.py", "on_disk", text="on disk"))
    assert it.texts("python", "/b.py") == [("/a.py", "opened")]
    it.closed("/a.py")
    assert it.texts("python", "/b.py") == []
    assert not it.take(outline("/a.py", "opened", stamp=(0, 0)))  # a look that was under way


def test_texts_of_open_documents_and_of_the_folder() -> None:
    it = SymbolIndex()
    for key in ("/p/one.py", "/p/two.py"):
        it.opened(key)
        it.take(outline(key, text=key, stamp=(0, 0)))
    for key in ("/p/file.py", "/q/file.py"):
        it.take(outline(key, text=key))
    it.used("/p/one.py")
    assert [key for key, _ in it.texts("python", "/p/main.py")] == ["/p/one.py", "/p/two.py", "/p/file.py"]
    assert [key for key, _ in it.texts("python", "/p/one.py")] == ["/p/two.py", "/p/file.py"]
    it.keep_texts(["/q"])
    assert [key for key, _ in it.texts("python", "/p/main.py")] == ["/p/one.py", "/p/two.py"]


@pytest.mark.parametrize("keys", [("/p/a.py", "/p/b.py"), ("/p/b.py", "/p/a.py")])
def test_the_order_of_reading_makes_no_difference(keys: tuple[str, str]) -> None:
    it = SymbolIndex()
    for key in keys:
        it.take(outline(key, "f", text=key))
    assert [key for key, _ in it.texts("python", "/p/main.py")] == ["/p/a.py", "/p/b.py"]
    assert [key for key, _ in it.signatures("f", "python", "/p/main.py")] == ["/p/a.py", "/p/b.py"]


def test_which_files_need_not_be_read_again() -> None:
    it = SymbolIndex()
    it.take(outline("/p/a.py"))
    it.take(outline("/q/b.py", text="b"))
    it.opened("/open.py")
    it.take(outline("/open.py", stamp=(0, 0)))
    assert it.known() == {"/p/a.py": (1, 1), "/q/b.py": (1, 1)}
    assert it.with_text(["/p", "/q", "/"]) == ("/q/b.py",)
    it.forget(["/q/b.py"])
    assert it.known() == {"/p/a.py": (1, 1)}
    assert it.with_text(["/q"]) == ()


def test_there_is_an_end_to_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbol_index, "MAX_SIGNATURES", 5)
    it = SymbolIndex()
    for n in range(4):
        it.take(outline(f"/{n}.py", f"a{n}", f"b{n}"))
    found = [name for n in range(4) for name in (f"a{n}", f"b{n}") if it.signatures(name, "python", "/")]
    assert found == ["a0", "b0", "a1", "b1", "a2"]
    it.forget([f"/{n}.py" for n in range(4)])
    it.take(outline("/5.py", "c"))
    assert it.signatures("c", "python", "/")
