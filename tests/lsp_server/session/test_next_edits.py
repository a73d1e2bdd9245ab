"""What becomes of offers, without a server around."""

from __future__ import annotations

from lsp_server.next_edit.history import EditHistory
from lsp_server.session.next_edits import NextEdits
from lsp_server.text.document import Edit, Refusal, Span
from lsp_server.text.syntax import Parses
from tests.support.typist import URI, Typing

TEXT = "def f(old):\n    g(old)\n    return old\n"


async def test_an_offer_is_ignored_when_another_takes_its_place() -> None:
    it, offers = Typing(TEXT), NextEdits()
    offers.history = it.history

    async def ask() -> int:
        found = await offers.suggest(it.document.snapshot(0), 0, Parses())
        return 0 if isinstance(found, Refusal) else len(found)

    def counts() -> dict[str, int]:
        return offers.counts.get("rules", {})

    assert (await ask(), counts()) == (0, {})
    it.retype(0, 6, "old", "new")
    assert (await ask(), await ask(), counts()["shown"]) == (2, 2, 1)
    it.retype(0, 6, "new", "name")
    assert await ask() == 2
    assert counts() == {"shown": 2, "accepted": 0, "dismissed": 0, "ignored": 1}
    offers.dismissed("file:///other.py")
    assert counts()["dismissed"] == 0
    offers.dismissed(URI)
    offers.dismissed(URI)
    offers.accepted()
    assert (await ask(), await ask()) == (0, 0)
    assert counts() == {"shown": 2, "accepted": 0, "dismissed": 1, "ignored": 1}


async def test_each_lane_has_its_own_counts() -> None:
    """What a model proposes where no rule does is not the rules' merit, nor its dismissal their fault."""
    it, offers = Typing(TEXT), NextEdits()
    offers.history = it.history
    snapshot = it.document.snapshot(0)
    edit = Edit(URI, snapshot.version, Span(0, 3), "async def", 0.5, 1, 0.0, ("region",))

    async def rewritten(history: EditHistory) -> tuple[Edit, ...]:
        return (edit,)

    assert await offers.suggest(snapshot, 0, Parses(), rewritten) == (edit,)
    offers.accepted()
    it.retype(0, 6, "old", "new")
    assert await offers.suggest(it.document.snapshot(0), 0, Parses(), rewritten) != (edit,)
    offers.dismissed(URI)
    nothing = {"shown": 1, "accepted": 0, "dismissed": 0, "ignored": 0}
    assert offers.counts == {"region": nothing | {"accepted": 1}, "rules": nothing | {"dismissed": 1}}
