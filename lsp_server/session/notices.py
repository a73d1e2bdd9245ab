"""Which refusals a user is told of, and how: each once, and in a dialog only what they can do something
about."""

from __future__ import annotations

from typing import Literal

from lsp_server.text.document import Refusal

Notice = Literal["show", "log"]  # in a dialog; in the client's log

# The model's own faults name their remedy. A worker that was lost once is back before anyone could act.
_NOTICES: dict[str, Notice] = {"failed": "show", "worker-down": "show", "worker-lost": "log"}


class Notices:
    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def of(self, refusal: Refusal) -> Notice | None:
        """How to tell of this refusal; None where it need not be told, or has been already."""
        notice = _NOTICES.get(refusal.reason)
        # A lost worker's messages count its failures, so they differ each time: only the reason is compared.
        news = (refusal.reason, refusal.message if refusal.reason == "failed" else "")
        if notice is None or news in self._told:
            return None
        self._told.add(news)
        return notice

    def worked(self) -> None:
        """A worker that fails again after it has worked is news again."""
        self._told = {(reason, message) for reason, message in self._told if reason == "failed"}
