"""The requests that one action makes of the worker. Knows no documents."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lsp_server.infilling.pipeline import Filler, OnDraft
from model_runtime.protocol import Done, Infill, Refused

OnStep = Callable[[str, int | None], None]  # what is being done, for a person; percentage, if known

_numbers = itertools.count(1)


@dataclass
class ActionRequest:
    """A worker whose requests all carry one action's fields; drafts are reported as steps. An instruction
    that the request brings itself stays.

    The requests get a document name of their own, so that typing meanwhile does not supersede them.
    """

    worker: Filler
    on_step: OnStep
    note: str = ""  # a line of text that the model reads above the hole's line
    instruction: str = ""
    original: str = ""  # the text that the hole replaces
    task: str = ""  # what the hole is for, in words
    thinking: bool = False
    image: bytes = b""  # a file's content

    def __post_init__(self) -> None:
        self._number = next(_numbers)

    async def fill(self, request: Infill, on_draft: OnDraft | None = None) -> Done | Refused:
        request = msgspec.structs.replace(
            request,
            document=f"{request.document}#action-{self._number}",
            priority="rewrite",
            prefix=request.prefix + self.note,
            instruction=self.instruction or request.instruction,
            original=self.original or request.original,
            task=self.task,
            thinking=self.thinking,
            image=self.image,
        )
        return await self.worker.fill(
            request, on_draft or (lambda draft: self.on_step(f"step {draft.step}", None))
        )
