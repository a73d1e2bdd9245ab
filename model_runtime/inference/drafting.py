"""Where drafts for a hole come from: similar text elsewhere, the rest of the last fill, and the n-gram model.

Keeps each document's last fill, and reads the library of texts that clients sent. No tensors.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from model_runtime.prompting.profiles import Profile
from model_runtime.protocol import Fixed, Infill
from model_runtime.retrieval.corpus import Corpus
from model_runtime.retrieval.document import Document
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.ngram import NgramModel
from model_runtime.retrieval.retriever import Draft, continued, retrieve

REMEMBERED = 32  # documents whose last fill may start the next one
NUMBERED = 4  # documents whose words the n-gram model remembers


class Drafting:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.library: Library | None = None
        self._previous: OrderedDict[str, tuple[str, str]] = OrderedDict()  # document -> (before, text)
        self._documents: OrderedDict[str, Document] = OrderedDict()

    def drafts(self, request: Infill) -> list[Draft]:
        """Drafts for a single hole, the best first; what is left of the last fill comes before all others."""
        if not single(request):
            return []
        before, after = around(request)
        found = retrieve(before, after, request.lines, request.context)[: self._profile.drafts]
        earlier = self._previous.get(request.document)
        if earlier and before.startswith(earlier[0]):
            rest = continued(earlier[1], typed=before[len(earlier[0]) :])
            found = [rest, *found] if rest else found
        return found

    def ngrams(self, request: Infill) -> NgramModel | None:
        """The n-gram model for a single hole, made of the texts that the client sent, or else of those in the
        request."""
        if not single(request) or not (self._profile.composed or self._profile.mended):
            return None
        corpus = self.library.corpus(request.workspace, request.language) if self.library else None
        document = self._documents.setdefault(request.document, Document())
        self._documents.move_to_end(request.document)
        while len(self._documents) > NUMBERED:
            self._documents.popitem(last=False)
        return NgramModel(*around(request), corpus or Corpus.of(request.context), document)

    def remember(self, request: Infill, texts: Sequence[str]) -> None:
        """Keep a fill, since the user may go on to type it."""
        if request.document and len(texts) == 1:
            self._previous[request.document] = (around(request)[0], texts[0])
            self._previous.move_to_end(request.document)
            while len(self._previous) > REMEMBERED:
                self._previous.popitem(last=False)


def single(request: Infill) -> bool:
    return sum(not isinstance(piece, Fixed) for piece in request.canvas) == 1


def around(request: Infill) -> tuple[str, str]:
    """Text before the first hole and after the last."""
    fixed = [i for i, piece in enumerate(request.canvas) if not isinstance(piece, Fixed)]
    head = "".join(p.text for p in request.canvas[: fixed[0]] if isinstance(p, Fixed))
    tail = "".join(p.text for p in request.canvas[fixed[-1] + 1 :] if isinstance(p, Fixed))
    return request.prefix + head, tail
