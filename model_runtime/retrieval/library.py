"""The texts that clients have told of, by workspace and language, and who told them.

The event loop's thread puts them in, the engine's thread indexes and reads them. Light to import: what
indexes is loaded with the first text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING

from model_runtime.protocol import Texts

if TYPE_CHECKING:
    from model_runtime.retrieval.corpus import Corpus

# Languages whose texts say much about each other.
FAMILIES = {
    "typescript": "javascript",
    "typescriptreact": "javascript",
    "javascriptreact": "javascript",
    "cpp": "c",
}

_Place = tuple[str, str]  # workspace, family of languages


class Library:
    def __init__(self) -> None:
        self._news: deque[tuple[Hashable, Texts | None]] = deque()
        self._corpora: dict[_Place, Corpus] = {}
        self._owners: dict[str, Hashable] = {}  # workspace -> the client that last told of it
        self._unindexed = False  # of what was taken, something is left to index

    # Called by the event loop's thread

    def put(self, client: Hashable, texts: Texts) -> None:
        self._news.append((client, texts))

    def drop_client(self, client: Hashable) -> None:
        """Nothing that this client has told is kept."""
        self._news.append((client, None))

    @property
    def has_news(self) -> bool:
        return bool(self._news)

    @property
    def indexing(self) -> bool:
        """Whether something that was told cannot be found yet."""
        return bool(self._news) or self._unindexed

    # Called by the engine's thread

    def work(self, seconds: float) -> bool:
        """Index for about so long; whether there is more to do."""
        self._take_news()
        self._unindexed = any(corpus.work(seconds) for corpus in list(self._corpora.values()))
        return self._unindexed

    def corpus(self, workspace: str, language: str) -> Corpus | None:
        """What is indexed by now. None where nothing was told."""
        self._take_news()
        return self._corpora.get(_place(workspace, language))

    def _take_news(self) -> None:
        while self._news:
            self._unindexed = True  # before it leaves the news: the other thread looks at both
            client, texts = self._news.popleft()
            if texts is None:
                for workspace in [name for name, owner in self._owners.items() if owner == client]:
                    self._forget(workspace)
            else:
                self._take(client, texts)

    def _take(self, client: Hashable, texts: Texts) -> None:
        from model_runtime.retrieval.corpus import Corpus

        if texts.renewed:
            self._forget(texts.workspace)
        self._owners[texts.workspace] = client
        for key in texts.gone:
            for (workspace, _), corpus in self._corpora.items():
                if workspace == texts.workspace:
                    corpus.drop(key)
        if texts.texts:
            corpus = self._corpora.setdefault(_place(texts.workspace, texts.language), Corpus())
            for key, text in texts.texts.items():
                corpus.put(key, text)

    def _forget(self, workspace: str) -> None:
        self._owners.pop(workspace, None)
        for place in [place for place in self._corpora if place[0] == workspace]:
            del self._corpora[place]


def _place(workspace: str, language: str) -> _Place:
    return workspace, FAMILIES.get(language, language)
