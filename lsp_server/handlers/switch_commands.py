"""The commands that turn suggestions off and on again, and the one that says how things are.

Each answers what holds for a document, so that a client can show it: `{on, reason, message, minutes}`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from lsprotocol import types

from lsp_server.actions import actions
from lsp_server.handlers.support import NOT_OPEN, Declined, Server
from lsp_server.session.session import Session
from lsp_server.text.document import Refusal

Token = types.ProgressToken | None
SETTINGS_S = 2.0  # a client answers at once, or not at all
LONGEST_SNOOZE = 7 * 24 * 60  # minutes


async def status(ls: Server, arguments: list[Any], token: Token) -> dict[str, Any]:
    """`infill.status`: of the worker, of what is read, of rewrites, and with a `uri` of that document."""
    data, session = _parse(arguments), ls.session
    await _configured(ls)
    refusal, tracker = actions.follows_no_instructions(session.settings), session.tracker
    told = msgspec.to_builtins(await session.worker.status())
    told["context"] = {
        "reading": not tracker.fault, "message": tracker.fault, "skipped": list(tracker.skipped)
    }  # fmt: skip
    told["rewrites"] = {"possible": refusal is None, "message": refusal.message if refusal else ""}
    told["nextEdits"] = session.next_edits.counts
    return told | ({"document": _document(session, data["uri"])} if "uri" in data else {})


async def toggle(ls: Server, arguments: list[Any], token: Token) -> dict[str, Any]:
    """`infill.toggle`: in a document, until it is closed."""
    data, session = _parse(arguments), ls.session
    uri, on = data.get("uri"), data.get("on")
    if uri is None or not isinstance(on, bool | None):
        raise Declined("infill.toggle takes one argument, {uri, on?}")
    session.switches.turn(session.file_of(uri), on)
    session.displace(uri)
    return _document(session, uri)


async def snooze(ls: Server, arguments: list[Any], token: Token) -> dict[str, Any]:
    """`infill.snooze`: in all documents of this client, for some minutes; 0 ends it."""
    data, session = _parse(arguments), ls.session
    minutes = data.get("minutes")
    if (
        isinstance(minutes, bool)
        or not isinstance(minutes, int | float)
        or not 0 <= minutes <= LONGEST_SNOOZE
    ):
        raise Declined(
            f"infill.snooze takes one argument, {{minutes, uri?}}, minutes from 0 to {LONGEST_SNOOZE}"
        )
    session.switches.snooze(minutes)
    return _document(session, data.get("uri", ""))


async def _configured(ls: Server) -> None:
    """Wait for settings that the client has been asked for, but not for long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ls.configured.wait(), SETTINGS_S)


def _document(session: Session, uri: str) -> dict[str, Any]:
    """Whether suggestions come unasked in a document, and if not, why; the minutes left of a snooze."""
    snapshot = session.snapshot(uri, 0)
    silence = session.silence(snapshot) if snapshot else Refusal("not-open", NOT_OPEN)
    return {
        "on": silence is None,
        "reason": silence.reason if silence else "",
        "message": silence.message if silence else "",
        "minutes": session.switches.snoozing(),
    }


def _parse(arguments: list[Any]) -> dict[str, Any]:
    """A command's one argument, if it has one. Raises Declined."""
    argument = next(iter(arguments), None) or {}
    if not isinstance(argument, dict) or not isinstance(argument.get("uri", ""), str):
        raise Declined("the command takes one argument, an object whose uri is a string")
    return argument
