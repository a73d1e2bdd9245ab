"""Where nothing is suggested unasked because the user has said so: in a document, or for some minutes.

Kept for as long as the server runs; what is to last is in the settings. Knows no documents but their URIs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lsp_server.text.document import Refusal


@dataclass
class Switches:
    clock: Callable[[], float] = time.monotonic  # seconds
    _off: set[str] = field(default_factory=set)  # URIs
    _snoozes_until: float = -math.inf

    def refusal(self, uri: str) -> Refusal | None:
        """Why nothing is suggested unasked in this document, if the user has said so."""
        if minutes := self.snoozing():
            return Refusal("snoozed", f"infill-ls is snoozed for {math.ceil(minutes)} min")
        if uri in self._off:
            return Refusal("off-here", "infill-ls is off in this file")
        return None

    def turn(self, uri: str, on: bool | None) -> None:
        """Suggest in a document or not; the other way round than now, for None."""
        if uri in self._off if on is None else on:
            self._off.discard(uri)
        else:
            self._off.add(uri)

    def snooze(self, minutes: float) -> None:
        """Suggest nothing anywhere for so long, counted from now. Nothing is left of it with 0."""
        self._snoozes_until = self.clock() + 60 * minutes

    def snoozing(self) -> float:
        """The minutes that are left of it."""
        return max(0.0, (self._snoozes_until - self.clock()) / 60)

    def forget(self, uri: str) -> None:
        self._off.discard(uri)
