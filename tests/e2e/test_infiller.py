"""A masked-diffusion checkpoint through a real worker: files as its authors', random weights."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from msgspec.structs import replace

from lsp_server.worker_client.client import Worker
from model_runtime.prompting.infillers import DREAMON, OPEN_DCODER, Infiller
from model_runtime.protocol import Choice, Done, Draft, Fixed, Infill, Refused, Slot
from tests.conftest import private_workers
from tests.e2e.test_prose import command, made, opened
from tests.e2e.test_stdio import running_editor
from tests.support import tiny_infiller

HOLE = Infill(
    0, "d", "import os\nx = 1\n", (Fixed("y = "), Slot(6), Fixed("\nprint(y)\n")), language="python"
)
TWO = (Fixed("y = "), Slot(4), Fixed("\nz = "), Slot(4), Fixed("\n"))


@pytest.fixture(scope="module", autouse=True)
def own_workers() -> Iterator[None]:
    with private_workers():
        yield


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("record", [DREAMON, OPEN_DCODER], ids=["dreamon", "open-dcoder"])
async def test_all_that_is_asked_of_a_worker(record: Infiller, tmp_path: Path) -> None:
    folder = tiny_infiller.write(tmp_path, record, tied=record is OPEN_DCODER)
    worker = Worker(Choice(model=str(folder), device="cpu", quantization="int8"))
    try:
        asked = replace(HOLE, deadline_ms=60_000)
        drafts: list[Draft] = []
        done = await worker.fill(replace(asked, drafts=True, tokens=True), drafts.append)
        assert isinstance(done, Done)
        assert done.steps > 1
        assert {token.state for token in drafts[0].tokens} > {"pinned"}
        assert all(name not in done.texts[0] for name in record.names.values())
        assert 0 <= done.confidence <= 1
        # Text elsewhere that goes on after the same line is a candidate, and is judged by this model.
        elsewhere = ("import os\nx = 1\ny = os.path\nprint(y)\n",)
        drafted = await worker.fill(replace(asked, context=elsewhere, alternatives=9))
        assert isinstance(drafted, Done)
        assert "draft" in drafted.sources or any("draft" in each.sources for each in drafted.alternatives)
        both = await worker.fill(replace(asked, canvas=TWO))
        assert isinstance(both, Done)
        assert len(both.texts) == 2
        proofread = await worker.fill(replace(asked, original="os"))
        assert isinstance(proofread, Done)
        assert proofread.texts[0] == "os" or any(each.texts[0] == "os" for each in proofread.alternatives)
        refused = await worker.fill(replace(asked, instruction="shorter", original="x", priority="rewrite"))
        assert isinstance(refused, Refused)
        assert "follows no instructions" in refused.message
    finally:
        await worker.stop()
        await worker.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_all_that_an_editor_asks(server_command: list[str], tmp_path: Path) -> None:
    """Through the server: every hole of a file, proofreading, and the canvas that `infill-ls play` draws. In
    plain text, of which nothing has to parse, since a random model writes it."""
    text = "Its end <fill> was near, and then <fill> came\nthe end.\n"
    folder = tiny_infiller.write(tmp_path / "model", DREAMON)
    settings: dict[str, Any] = {"model": str(folder), "device": "cpu", "trusted": True}
    settings |= {"languages": ["plaintext"], "deadlineMs": 60_000, "confidenceThreshold": 0.0}
    able = lsp.ClientCapabilities(experimental={"infill": {"canvas": True}})
    async with running_editor(server_command, settings, able, folder=tmp_path) as editor:
        drafts: list[Any] = []
        editor.client.feature("infill/draft")(lambda draft: drafts.append(draft))
        place = opened(editor, tmp_path / "a.txt", "plaintext", text, "came")
        filled = made(await command(editor, "infill.fill", uri=place.uri), text)
        assert filled.count("<fill>") < 2, "a hole whose text comes to nothing is left"
        assert filled.startswith("Its end ")
        assert filled.endswith("\nthe end.\n")
        where = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 14}}
        found = await command(editor, "infill.proofread", uri=place.uri, range=where)
        assert found["found"] >= 0, "each word was judged; a refusal would have been an error"
        await asyncio.wait_for(editor.ask(place), 60)
        canvases = [draft.tokens for draft in drafts]
        assert len(canvases) > 1
        assert len({len(canvas) for canvas in canvases}) == 1, (
            "a hole that grows keeps its place on the board"
        )
        noise = [sum(token.state == "noise" for token in canvas) for canvas in canvases]
        assert noise[0] > 0
        assert noise[-1] == 0
        shown = "".join(token.text + token.before for canvas in canvases for token in canvas)
        assert not any(name in shown for name in DREAMON.names.values())
