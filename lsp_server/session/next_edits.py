"""What a session knows of next edits: the history they follow from, what is being offered, and how often
offers were accepted, dismissed and ignored.

An offer that is neither accepted nor dismissed is ignored when another takes its place or its document is
edited otherwise. What comes next is decided in `next_edit`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from lsp_server.next_edit import rules
from lsp_server.next_edit.filters import lines_of
from lsp_server.next_edit.history import EditHistory, Lines
from lsp_server.next_edit.lanes import lane_of
from lsp_server.text.document import Edit, Refusal, Snapshot
from lsp_server.text.syntax import Parses


@dataclass
class Counts:
    """Offers of one lane, each counted once however often it was asked for."""

    shown: int = 0
    accepted: int = 0
    dismissed: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class _Offer:
    uri: str
    lane: str
    changes: tuple[tuple[Lines, Lines], ...]  # lines before and after, of each edit


class NextEdits:
    def __init__(self) -> None:
        self.history = EditHistory()
        self._counts = defaultdict[str, Counts](Counts)
        self._offer: _Offer | None = None

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By lane, of those that have offered anything."""
        return {lane: asdict(counts) for lane, counts in self._counts.items()}

    async def suggest(
        self,
        snapshot: Snapshot,
        cursor: int,
        parses: Parses,
        rewritten: Callable[[EditHistory], Awaitable[tuple[Edit, ...] | Refusal]] | None = None,
    ) -> tuple[Edit, ...] | Refusal:
        """The edits of the lane that is sure first, the nearest first. `rewritten`: the lane that asks a
        model, if there is one."""
        found = rules.suggest(snapshot, cursor, self.history, parses)
        if isinstance(found, Refusal) and rewritten:
            found = await rewritten(self.history)
        self._show(snapshot, () if isinstance(found, Refusal) else found)
        return found

    def accepted(self) -> None:
        """The client has made an edit of the current offer."""
        if self._offer:
            self._counts[self._offer.lane].accepted += 1
            self._offer = None

    def dismissed(self, uri: str) -> None:
        """The user does not want the current offer: while its lines read as they do, it is not made again."""
        if self._offer and self._offer.uri == uri:
            for before, after in self._offer.changes:
                self.history.reject(uri, before, after)
            self._counts[self._offer.lane].dismissed += 1
            self._offer = None

    def _show(self, snapshot: Snapshot, edits: Sequence[Edit]) -> None:
        changes = tuple(lines_of(snapshot, edit) for edit in edits)
        offer = _Offer(snapshot.uri, lane_of(edits[0]), changes) if edits else None
        if offer == self._offer:
            return
        if self._offer:
            self._counts[self._offer.lane].ignored += 1
        if offer:
            self._counts[offer.lane].shown += 1
        self._offer = offer
