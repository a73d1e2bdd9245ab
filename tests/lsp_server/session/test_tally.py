from __future__ import annotations

from lsp_server.session.suggestion_cache import CachedSuggestion
from lsp_server.session.tally import Tally
from lsp_server.text.document import Snapshot


def suggestion(uri: str = "file:///a.py") -> CachedSuggestion:
    return CachedSuggestion(Snapshot(uri, 1, "python", "a = "), 4, ())


def test_each_is_counted_once() -> None:
    tally, first, second, elsewhere = Tally(), suggestion(), suggestion(), suggestion("file:///b.py")
    assert not tally.accepted("file:///a.py"), "nothing was shown"
    assert [tally.shown(each) for each in (first, first, second, elsewhere)] == [True, False, True, True]
    assert [tally.accepted("file:///a.py") for _ in range(2)] == [True, False]
    assert tally.accepted("file:///b.py")
    tally.forget("file:///b.py")
    assert not tally.accepted("file:///b.py")
