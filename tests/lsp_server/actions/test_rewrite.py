from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.actions.action_request import ActionRequest
from lsp_server.actions.rewrite import BLOCK_CHARS, blocks, rewrite
from lsp_server.cli.patch import applied
from lsp_server.config.settings import Settings
from lsp_server.text.document import Refusal, Snapshot, Span
from lsp_server.text.syntax import Parses
from model_runtime.protocol import Done, Draft, Infill, Refused

URI = "file:///a.py"


class Follows:
    """A worker with a model that does what it is told: it puts the instruction for `old`."""

    def __init__(self) -> None:
        self.requests: list[Infill] = []

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Done | Refused:
        self.requests.append(request)
        text = request.original.replace("\r\n", "\n").replace("old", request.instruction)
        return Done(0, (text,), 0.9, 1, 0, 0, 0)


async def rewritten(text: str, span: Span, instruction: str = "new") -> tuple[str, list[Infill], list[str]]:
    worker, steps = Follows(), list[str]()
    snapshot = Snapshot(URI, 1, "python", text)
    outcome = await rewrite(
        snapshot,
        span,
        instruction,
        ActionRequest(worker, lambda message, percentage: None),
        Settings(),
        Parses(),
        lambda message, percentage: steps.append(message),
    )
    if isinstance(outcome, Refusal):
        return outcome.reason, worker.requests, steps
    return applied(text, outcome), worker.requests, steps


LONG = "".join(f"def f{n}(x):\n    y = old({n})\n    return y\n\n\n" for n in range(40))


@pytest.mark.parametrize("text", [LONG, LONG.replace("\n", "\r\n")])
async def test_block_after_block(text: str) -> None:
    done, requests, steps = await rewritten(text, Span(0, len(text)))
    assert done == text.replace("old", "new")
    assert len(requests) == len(steps) > 1
    assert all(len(request.original) <= BLOCK_CHARS for request in requests)
    assert "new(0)" in requests[1].prefix  # the second sees what has become of the first


async def test_only_the_lines_of_the_selection() -> None:
    text = "a = old\nb = old\nc = old\n"
    done, requests, _ = await rewritten(text, Span(9, 12))
    assert done == "a = old\nb = new\nc = old\n"
    assert [(request.instruction, request.original) for request in requests] == [("new", "b = old")]


@pytest.mark.parametrize(
    ("text", "instruction", "reason"),
    [("a = 1\n", "new", "same"), ("\n\n", "new", "no-hole"), ("a = old\n", "  ", "instruction")],
)
async def test_nothing_to_rewrite(text: str, instruction: str, reason: str) -> None:
    assert (await rewritten(text, Span(0, len(text) - 1), instruction))[0] == reason


@given(st.text(alphabet=st.sampled_from("ab \t\n"), max_size=3000))
def test_blocks_hold_every_line_once(text: str) -> None:
    found = list(blocks(text, Span(0, len(text))))
    gaps = text
    for block in reversed(found):
        assert text[block.start : block.end].strip()
        gaps = gaps[: block.start] + gaps[block.end :]
    assert not gaps.strip()
    assert all(a.end <= b.start for a, b in pairwise(found))
