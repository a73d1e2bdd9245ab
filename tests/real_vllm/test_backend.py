"""`backend = vllm` against a real server: what editors and the command line ask for, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.inference.engine import Engine, load_engine
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.protocol import MOST_STEPS, Choice
from model_runtime.remote import wire
from model_runtime.remote.loading import load
from tests.conftest import private_workers
from tests.e2e.conftest import EXAMPLE
from tests.model_runtime.prompting.test_chat_prompt import HOLE, REWRITE
from tests.model_runtime.remote.test_vllm import HOLES
from tests.real_vllm.conftest import KEY
from tests.real_vllm.server import RealServer, serving
from tests.real_vllm.test_rules import CANVAS, post
from tests.support.paths import ROOT
from tests.support.vllm_sampler import denoised

LONG = replace(REWRITE, original="y = f(x)\n" * 30)  # more than one canvas
SETTLED_S = 20.0


def engine(*servers: RealServer, model: str = "embedded") -> Engine:
    found = load(Choice(model=model, backend="vllm", url=",".join(each.url for each in servers)))
    assert isinstance(found, Engine)
    return found


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + SETTLED_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def command(*arguments: str, server: RealServer) -> subprocess.CompletedProcess[str]:
    chosen = ["--backend", "vllm", "--backend-url", server.url]
    line = [sys.executable, "-m", "lsp_server", *arguments, *chosen]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_command_line(server: RealServer, tmp_path: Path) -> None:
    """doctor, complete, fill with several holes, worker status; a worker of its own."""
    source = tmp_path / "holes.py"
    source.write_text(EXAMPLE.read_text() + "\n\ndef first(items):\n    ...\n\n\ndef last(items):\n    ...\n")
    with private_workers():
        doctor = json.loads(command("doctor", "--json", server=server).stdout)
        assert any("denoises on its canvas" in str(each) for each in doctor["findings"]), doctor
        found = command("complete", str(EXAMPLE), "--at", "69:18", "--json", server=server)
        assert found.returncode in (0, 1), found.stderr
        assert "failed" not in found.stderr
        filled = command("fill", str(source), server=server)
        assert filled.returncode in (0, 1), filled.stderr
        assert filled.stdout.startswith("---") or "nothing" in filled.stderr or filled.returncode == 1
        status = json.loads(command("worker", "status", "--json", server=server).stdout)
        assert status["servers"] == {server.url: "ok, 0 running"}


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_and_several(server: RealServer, name: str) -> None:
    fill = engine(server).run(HOLES[name])
    assert fill.complete
    assert fill.texts
    assert all(0 <= each.confidence <= 1 for each in fill.alternatives)


@pytest.mark.parametrize(
    "name", ["a hole", "candidates", "two holes", "proofreading", "a rewrite", "a long one"]
)
def test_a_checkpoint_of_the_released_structure(chat_server: RealServer, chatty: Path, name: str) -> None:
    """Several lengths and steps, drafts judged by rows of their own, canvas after canvas."""
    asked = {
        "a hole": HOLE,
        "candidates": replace(HOLE, candidates=3),
        "two holes": replace(HOLE, canvas=(*HOLE.canvas, *HOLE.canvas)),
        "proofreading": replace(HOLE, original="f(x)"),
        "a rewrite": REWRITE,
        "a long one": replace(LONG, thinking=True),
    }[name]
    asking = engine(chat_server, model=str(chatty))
    if not asked.instruction:
        assert asking.run(asked).texts
        return
    drafts = []
    try:
        for step in asking.fill(asked):
            drafts += [step.texts()] if step else []
    except Unfillable as error:  # random weights: whether an answer ends is their affair
        if "did not end within" not in str(error):
            raise
    assert len(drafts) > (name == "a long one"), "canvas after canvas"


@pytest.mark.parametrize("prompt", [40, 150, 255, 400, 900])
def test_one_step_is_the_stand_ins(
    server: RealServer, prompt: int, record_property: Callable[[str, object], None]
) -> None:
    """Inside the sliding window of 256 and beyond it, to the precision of the arithmetic; how far our own
    denoiser's window is from that is noted."""
    local = load_engine(Choice(device="cpu")).denoiser
    assert isinstance(local, LocalDenoiser)
    ids, pinned = [2, *[300 + 7 * n % 5000 for n in range(prompt - 1)]], [*range(20), *range(60, 96)]
    status, said = post(server, wire.fill("embedded", ids, CANVAS, pinned, 1))
    assert status == 200
    completion = wire.msgspec.json.decode(said, type=wire.Completion)
    best, logp = denoised(local, ids, CANVAS, pinned, 1, 48, alike=False)
    theirs = wire.likeliest(completion, len(CANVAS), vocabulary=len(logp[0]))
    assert theirs
    off = [
        abs(float(logp[at][token]) - value) for at, row in enumerate(theirs) for token, value in row.items()
    ]
    assert max(off) < 1e-3
    assert completion.choices[0].token_ids == best
    newest = denoised_with_our_window(local, ids, pinned)
    apart = [
        abs(float(newest[at][token]) - v)
        for at, row in enumerate(theirs[20:60], 20)
        for token, v in row.items()
    ]
    record_property("window", {"off": round(max(off), 6), "ours_in_the_hole": round(max(apart), 4)})
    if prompt + len(CANVAS) <= 256:
        assert max(apart) < 1e-3


def denoised_with_our_window(local: LocalDenoiser, ids: list[int], pinned: list[int]) -> torch.Tensor:
    """As transformers: each canvas position sees the newest window - 1 tokens of the prompt."""
    from tests.support import vllm_sampler

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm_sampler, "slid", lambda window, prompt, canvas: None)
        return denoised(local, ids, CANVAS, pinned, 1, 48, alike=False)[1]


def test_a_fill_that_is_given_up_is_no_longer_denoised(chat_server: RealServer, chatty: Path) -> None:
    asking = engine(chat_server, model=str(chatty))
    waiting = asking.fill(replace(LONG, seed=5))
    assert next(waiting) is None
    assert until(lambda: chat_server.metric("num_requests_running") > 0)
    waiting.close()
    assert until(lambda: chat_server.metric("num_requests_running") == 0)
    steps = engine(chat_server, model=str(chatty)).fill(replace(HOLE, steps=MOST_STEPS))
    while next(steps) is None:
        pass
    with pytest.raises(StopIteration) as stop:
        steps.send("finish")
    assert stop.value.value.steps == 1


def test_eight_clients_at_once(server: RealServer) -> None:
    """Each gets what it gets alone."""
    clients = [engine(server) for _ in range(8)]
    asked = [replace(list(HOLES.values())[n % 3], document=str(n), seed=n) for n in range(8)]
    alone = [client.run(request).texts for client, request in zip(clients, asked, strict=True)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            together = list(
                pool.map(lambda pair: pair[0].run(pair[1]).texts, zip(clients, asked, strict=True))
            )
            assert together == alone


def test_a_key(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, message in (("", "wants an API key"), ("wrong", "refuses the key in INFILL_LS_API_KEY")):
        monkeypatch.setenv("INFILL_LS_API_KEY", key)
        with pytest.raises(ModelError, match=message):
            engine(server)


def test_no_room_is_said(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canvas that the server would shorten is refused, with the remedy."""
    asking = engine(server)
    for tokens in (1990, 2048, 2049):
        prompt = [2, *[300] * (tokens - 1)]
        row = asking.tokens.lay(HOLES["end of line"]).row([16], 60)
        with pytest.raises(
            Exception, match=r"no room for a prompt of this length \(400\); select less, or start"
        ):
            list(asking.denoiser.denoise(prompt, [row], asking.tokens.profile.policy, 0))


def test_of_two_servers_one_is_killed(server: RealServer, embedded: Path, folder: Path) -> None:
    """In the middle of many fills: none is lost."""
    flags = ("--max-model-len", "2048")
    with serving(embedded, folder / "second.log", *flags, name="embedded", key=KEY) as second:
        asking = [engine(server, second) for _ in range(4)]
        requests: list[Any] = [replace(HOLES["end of line"], document=str(n), seed=n) for n in range(24)]
        with ThreadPoolExecutor(4) as pool:
            fills = [pool.submit(asking[n % 4].run, request) for n, request in enumerate(requests)]
            assert until(lambda: sum(fill.done() for fill in fills) >= 6)
            second.kill()
            assert all(fill.result(timeout=120).texts for fill in fills)
        states = asking[0].servers()
        assert states[server.url].startswith("ok")
