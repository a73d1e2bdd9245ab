"""A checkpoint folder through the command line and the worker client: real processes, random weights."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lsp_server.config.settings import Settings
from lsp_server.next_edit import region
from lsp_server.text.document import Refusal
from lsp_server.worker_client.client import Worker
from model_runtime.protocol import Choice, Done, Fixed, Infill, Refused, Slot
from tests.conftest import private_workers
from tests.support import tiny_gemma
from tests.support.paths import ROOT
from tests.support.typist import Typing

SOURCE = "def area(width, height):\n    ...\n\n\ntotal = area(2, \nprint(total)\n"
HOLE = Infill(0, "d", "x = 1\n", (Fixed("y = "), Slot(4), Fixed("\n")), language="python")
SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture(scope="module", autouse=True)
def own_workers() -> Iterator[None]:
    with private_workers():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gemma.write(tmp_path_factory.mktemp("gemma"), ending=3.0)


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    source = tmp_path / "shapes.py"
    source.write_text(SOURCE)

    def run(command: str, *options: str) -> subprocess.CompletedProcess[str]:
        arguments = [command, str(source), *options, "--model", str(folder), "--device", "cpu", "--json"]
        return subprocess.run(
            [sys.executable, "-m", "lsp_server", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=110,
        )

    return run


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("complete", ["--at", "5:17", "--deadline-ms", "60000"]),
        ("fill", ["--all"]),
        ("rewrite", ["--lines", "1-2", "--instruction", "return the area"]),
        ("rewrite", ["--lines", "1-2", "--instruction", "return the area", "--think"]),
    ],
)
def test_the_command_line(
    run: Callable[..., subprocess.CompletedProcess[str]], command: str, options: list[str]
) -> None:
    """Random text rarely parses; the test is that the model was asked and its answer judged."""
    done = run(command, *options)
    told = json.loads(done.stdout)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode:
        assert told["reason"] in ("parse", "empty", "unprintable", "same", "repeats", "failed"), told
    for special in tiny_gemma.SPECIAL:
        assert special not in str(told)


@pytest.mark.slow
def test_what_the_command_line_refuses(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "no.png").write_text("no picture")
    for options, says in (
        (["--image", str(tmp_path / "no.png")], "not an image; PNG"),
        (["--image", str(tmp_path / "none.png")], "No such file"),
        (["--quantization", "int3"], "'int3' is not none or int8 or int4 or fp8"),
    ):
        done = run("rewrite", "--lines", "1", "--instruction", "x", *options)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 4


def _other_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gemma4"}')


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("spoil", "changes", "says"),
    [
        (None, {"model": "acme/nothing"}, "run `infill-ls models download acme/nothing`"),
        (None, {"model": "/nowhere"}, "there is no folder /nowhere"),
        (_other_kind, {}, "is a 'gemma4', a 'diffusion_gemma' is needed"),
        (lambda f: (f / SHARD).write_bytes((f / SHARD).read_bytes()[:5000]), {}, "is damaged"),
        (lambda f: (f / SHARD).unlink(), {}, f"lacks {SHARD}"),
        (None, {"adapter": "/nowhere"}, "no adapter at /nowhere"),
    ],
)
async def test_a_model_that_cannot_be_loaded_is_one_line(
    tmp_path: Path, spoil: Callable[[Path], object] | None, changes: dict[str, str], says: str
) -> None:
    """The request is refused with the reason; so is the next one, and nothing hangs."""
    folder = tiny_gemma.write(tmp_path / "model")
    if spoil:
        spoil(folder)
    worker = Worker(Choice(**{"model": str(folder), "device": "cpu", **changes}))
    try:
        for _ in range(2):
            answer = await worker.fill(replace(HOLE, deadline_ms=60_000))
            assert isinstance(answer, Refused)
            assert says in answer.message
            assert "\n" not in answer.message
    finally:
        await worker.stop()
        await worker.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_fix_a_rewrite_and_a_region_through_the_worker(folder: Path) -> None:
    worker = Worker(Choice(model=str(folder), device="cpu", quantization="int8"))
    try:
        fixed = await worker.fill(replace(HOLE, task="Fix: no z in y = z", priority="rewrite"))
        assert isinstance(fixed, Done)
        asked = replace(HOLE, instruction="shorter", original="y = z\n" * 5, priority="rewrite")
        rewritten = await worker.fill(asked)
        assert isinstance(rewritten, Done | Refused)
        if isinstance(rewritten, Refused):  # random weights may not come to an end
            assert "did not end" in rewritten.message
        pictured = await worker.fill(replace(asked, image=b"\x89PNG no"))
        assert isinstance(pictured, Refused)
        assert "the image cannot be read" in pictured.message
        await _rewrite_regions(worker, str(folder))
    finally:
        await worker.stop()
        await worker.close()


async def _rewrite_regions(worker: Worker, model: str) -> None:
    """By the lane of next edits and for a problem: the model writes all of the region, which is then judged.
    What random weights write is rarely offered."""
    it, answers = Typing("".join(f"line_{n} = {n}\n" for n in range(12))), list[Done | Refused]()
    it.retype(5, 0, "line_5", "row_5")

    class Listening:
        async def fill(self, request: Infill, on_draft: Any = None) -> Done | Refused:
            answers.append(await worker.fill(request, on_draft))
            return answers[-1]

    async def clean(texts: Sequence[str]) -> Sequence[str]:
        return texts

    settings = Settings(model=model, next_edit_format="instruct", deadline_ms=60_000)
    snapshot, asked = it.document.snapshot(5), (it.history, Listening(), settings, clean)
    for outcome in (
        await region.suggest(snapshot, 0, *asked),
        await region.fix(snapshot, snapshot.text.index("line_9"), "no such name", *asked, ("# b.py\n",)),
    ):
        edits = outcome if isinstance(outcome, tuple) else [outcome]
        for each in edits:
            text = each.message if isinstance(each, Refusal) else each.text
            assert not any(special in text for special in tiny_gemma.SPECIAL)
    for answer in answers:
        assert isinstance(answer, Done), answer
        assert answer.complete
        assert answer.sources[0] == "denoiser"
    assert len(answers) == 2
