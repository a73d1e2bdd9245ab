"""Off in a document, or for some minutes, and on again."""

from __future__ import annotations

from lsp_server.session.session import Session
from lsp_server.session.switches import Switches
from tests.lsp_server.session.test_completion import URI, Slow, ask, session_with


def reason(switches: Switches, uri: str = "file:///a.py") -> str:
    refusal = switches.refusal(uri)
    return refusal.reason if refusal else ""


def test_a_document_and_no_other() -> None:
    switches = Switches()
    for wanted, expected in (
        (None, "off-here"),
        (None, ""),
        (False, "off-here"),
        (False, "off-here"),
        (True, ""),
    ):
        switches.turn("file:///a.py", wanted)
        assert (reason(switches), reason(switches, "file:///b.py")) == (expected, "")
    switches.turn("file:///a.py", False)
    switches.forget("file:///a.py")
    assert reason(switches) == ""


def test_a_snooze_ends() -> None:
    now = [100.0]
    switches = Switches(clock=lambda: now[0])
    assert (switches.snoozing(), reason(switches)) == (0, "")
    switches.snooze(10)
    now[0] += 9.5 * 60
    assert (switches.snoozing(), reason(switches)) == (0.5, "snoozed")
    assert "1 min" in getattr(switches.refusal(""), "message", "")
    now[0] += 31
    assert (switches.snoozing(), reason(switches)) == (0, "")
    switches.snooze(10)
    switches.snooze(0)
    assert reason(switches) == ""


async def test_who_asks_is_answered_all_the_same() -> None:
    worker = Slow()
    for off in (
        lambda session: session.configure("configuration", {"enable": False}),
        lambda session: session.switches.turn(URI, False),
        lambda session: session.switches.snooze(1),
    ):
        session = session_with(worker)
        off(session)
        refused = await ask(session, 4)
        assert getattr(refused, "reason", "offered") in ("off", "off-here", "snoozed")
        assert isinstance(await ask(session, 4, invoked=True), list)


def test_a_cell_is_switched_with_its_notebook() -> None:
    session = Session(lambda settings: Slow())  # pyright: ignore[reportArgumentType]
    session.open_notebook("file:///n.ipynb", ["cell:1", "cell:2"])
    for uri in ("cell:1", "cell:2", URI):
        session.open(uri, 1, "python", "a = 1\n")
    session.switches.turn(session.file_of("cell:1"), False)
    silent = [
        bool((it := session.snapshot(uri, 0)) and session.silence(it)) for uri in ("cell:1", "cell:2", URI)
    ]
    assert silent == [True, True, False]
