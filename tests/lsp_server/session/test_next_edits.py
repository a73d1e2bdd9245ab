"""What becomes of offers, without a server around."""

from __future__ import annotations

from lsp_server.session.next_edits import NextEdits
from lsp_server.text.document import Refusal
from lsp_server.text.syntax import Parses
from tests.support.typist import URI, Typing

TEXT = "def f(old):\n    g(old)\n    return old\n"


async def test_an_offer_is_ignored_when_another_takes_its_place() -> None:
    it, offers = Typing(TEXT), NextEdits()
    offers.history = it.history

    async def ask() -> int:
        found = await offers.suggest(it.document.snapshot(0), 0, Parses())
        return 0 if isinstance(found, Refusal) else len(found)

    assert (await ask(), offers.counts["shown"]) == (0, 0)
    it.retype(0, 6, "old", "new")
    assert (await ask(), await ask(), offers.counts["shown"]) == (2, 2, 1)
    it.retype(0, 6, "new", "name")
    assert await ask() == 2
    assert offers.counts == {"shown": 2, "accepted": 0, "dismissed": 0, "ignored": 1}
    offers.dismissed("file:///other.py")
    assert offers.counts["dismissed"] == 0
    offers.dismissed(URI)
    offers.dismissed(URI)
    offers.accepted()
    assert (await ask(), await ask()) == (0, 0)
    assert offers.counts == {"shown": 2, "accepted": 0, "dismissed": 1, "ignored": 1}
