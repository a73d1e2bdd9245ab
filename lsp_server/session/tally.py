"""Which suggestions have been counted as shown and as accepted: each once, however it is typed or taken.

A suggestion is shown again at every key that follows it, and accepted word by word; both are one suggestion.
Knows no worker: what is counted where is the session's business.
"""

from __future__ import annotations

from lsp_server.session.suggestion_cache import CachedSuggestion


class Tally:
    def __init__(self) -> None:
        self._shown: dict[str, CachedSuggestion] = {}  # the last that was counted, by document URI
        self._accepted: dict[str, CachedSuggestion] = {}

    def shown(self, suggestion: CachedSuggestion) -> bool:
        """Whether this is the first time."""
        first = not self.is_shown(suggestion)
        self._shown[suggestion.snapshot.uri] = suggestion
        return first

    def is_shown(self, suggestion: CachedSuggestion) -> bool:
        return self._shown.get(suggestion.snapshot.uri) is suggestion

    def accepted(self, uri: str) -> bool:
        """Whether a part of the last suggestion shown in the document is accepted for the first time."""
        suggestion = self._shown.get(uri)
        if suggestion is None or self._accepted.get(uri) is suggestion:
            return False
        self._accepted[uri] = suggestion
        return True

    def forget(self, uri: str) -> None:
        self._shown.pop(uri, None)
        self._accepted.pop(uri, None)
