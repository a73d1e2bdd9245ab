"""Which words may stand in a line, and which may end it: brackets match, and a line does not break off.

Knows brackets and which words were seen at the ends of lines, no grammar.
"""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.retrieval import words
from model_runtime.retrieval.mixture import Mixture
from model_runtime.retrieval.vocabulary import Vocabulary
from model_runtime.retrieval.words import Word

LINES_ABOVE = 40  # whose brackets count
SEEN = 4.0  # times that a word has to have been seen before it is said never to end a line
RARE = 0.01
_CLOSES = {")": "(", "]": "[", "}": "{"}


def open_brackets(found: Sequence[Word], above: str = "") -> str:
    """The brackets that are open after these words, the innermost last; what closes nothing is skipped."""
    state = above
    for word, _ in found:
        if word in "([{":
            state += word
        elif state and state[-1] == _CLOSES.get(word):
            state = state[:-1]
    return state


class LineSyntax:
    def __init__(
        self,
        vocabulary: Vocabulary,
        mixture: Mixture,
        above: Sequence[str],
        head: Sequence[Word],
        tail: Sequence[Word],
    ) -> None:
        """`above` are the lines before the hole's line, `head` and `tail` the words around it on its line."""
        self._vocabulary, self._mixture = vocabulary, mixture
        self._above = ""
        for each in above[-LINES_ABOVE:]:
            if words.is_code(each):
                self._above = open_brackets(words.of_line(each), self._above)
        self.start = open_brackets(head, self._above)
        self._tail = tail
        self._closed = bool(tail) and open_brackets(tail, self.start) == self._above
        self._ends: dict[int, bool] = {}

    def after(self, state: str, word: int) -> str | None:
        text = self._vocabulary.word(word)
        if text in _CLOSES:
            if not state or state[-1] != _CLOSES[text] or (self._closed and len(state) <= len(self.start)):
                return None
            return state[:-1]
        return state + text if text in ("(", "[", "{") else state

    def may_end(self, state: str, last: int) -> bool:
        if self._tail:
            return state == self.start or not self._closed
        if len(state) > len(self._above):
            text = self._vocabulary.word(last)
            return not (text in _CLOSES or words.kind(text) in words.KINDS) and self._was_last(last)
        return self._was_last(last)

    def _was_last(self, word: int) -> bool:
        """Whether lines end with such a word, as far as is known."""
        known = self._ends.get(word)
        if known is None:
            seen, at_end = self._mixture.seen(word, self._vocabulary.newlines)
            known = self._ends[word] = seen < SEEN or at_end >= RARE * seen
        return known
