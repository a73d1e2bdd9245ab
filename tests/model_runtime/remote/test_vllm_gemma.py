"""DiffusionGemma on a server with vLLM's rules: it gets the same chat prompts as the local model."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.diffusion.results import Fill
from model_runtime.inference.engine import Engine
from model_runtime.protocol import Choice
from model_runtime.remote import check
from model_runtime.remote.loading import described, load
from tests.model_runtime.prompting.test_chat_prompt import HOLE, REWRITE
from tests.model_runtime.remote.test_vllm import as_served
from tests.support import tiny_gemma
from tests.support.servers import Process, started

NAME = "google/diffusiongemma-26B-A4B-it"
LONG = replace(REWRITE, original="y = f(x)\n" * 30)  # no warm start: it fills more than a canvas
STEPS = 4


def without_weights(folder: Path, to: Path) -> Path:
    return shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.safetensors*"))


@pytest.fixture(scope="module")
def one_step(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gemma.write(tmp_path_factory.mktemp("gemma") / "one", ending=2.3, steps=1)


@pytest.fixture(scope="module")
def server(one_step: Path) -> Iterator[Process]:
    flags = ("--model", str(one_step), "--name", NAME, "--model-len", "16384", "--steps", str(STEPS))
    with started(*flags) as process:
        yield process


@pytest.fixture(scope="module")
def local(one_step: Path) -> Engine:
    return as_served(one_step)


@pytest.fixture(scope="module")
def remote(one_step: Path, server: Process) -> Engine:
    return loaded(without_weights(one_step, one_step.parent / "described"), server)


def loaded(folder: Path, server: Process) -> Engine:
    engine = load(Choice(model=str(folder), backend="vllm", url=server.url))
    assert isinstance(engine, Engine)
    return engine


def fills_asked(server: Process, since: int) -> list[dict[str, Any]]:
    bodies = [json.loads(body) for body in server.seen()[since:]]
    return [body for body in bodies if "diffusion_pinned" in body.get("vllm_xargs", {})]


SAME = {
    "a hole": HOLE,
    "candidates": replace(HOLE, document="e", candidates=3, seed=2),
    "two holes": replace(HOLE, document="f", canvas=(*HOLE.canvas, *HOLE.canvas)),
    "a fix": replace(HOLE, document="g", task="Fix: no x", context=("# other.py\nz = 1\n",)),
    "proofreading": replace(HOLE, document="h", original="f(x)"),
    "a rewrite with a warm start": replace(REWRITE, seed=1),
    "a rewrite of several canvases": LONG,
    "a rewrite after a thought": replace(LONG, thinking=True, seed=3),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_noise_gives_the_same_fill(
    server: Process, local: Engine, remote: Engine, name: str
) -> None:
    """With one step. How several steps differ is in docs/remote.md."""
    here, since = local.run(SAME[name]), len(server.seen())
    there = remote.run(SAME[name])
    assert there.texts == here.texts
    assert [each.texts for each in there.alternatives] == [each.texts for each in here.alternatives]
    assert (there.sources, there.steps, there.complete) == (here.sources, here.steps, True)
    assert there.confidence == pytest.approx(here.confidence, rel=1e-2)
    if SAME[name].original == LONG.original:
        assert len(fills_asked(server, since)) > 2, "one canvas after another"
    if name == "a rewrite with a warm start":
        assert "original" in there.sources
        assert len(fills_asked(server, since)) == 2


@pytest.fixture(scope="module")
def several(one_step: Path, server: Process) -> Engine:
    """As `remote`, but with more than one step."""
    folder = without_weights(one_step, one_step.parent / "several")
    told = json.loads((folder / "generation_config.json").read_bytes()) | {"max_denoising_steps": STEPS}
    (folder / "generation_config.json").write_text(json.dumps(told))
    return loaded(folder, server)


def test_lengths_are_tried_for_a_step_and_the_best_go_on(several: Engine, server: Process) -> None:
    since = len(server.seen())
    fill = several.run(HOLE)
    assert (fill.steps, fill.complete) == (STEPS, True)
    asked = fills_asked(server, since)
    steps = [body["vllm_xargs"]["diffusion_max_steps"] for body in asked]
    drafts = len(several.drafting.drafts(HOLE))
    assert drafts == 4, "each is judged by a row that holds it"
    assert steps == [1] * (4 + drafts) + [STEPS] * 2
    assert len({tuple(body["prompt"]) for body in asked}) == 1, "one entry of the server's prefix cache"
    assert asked[0]["prompt"][:2] == [2, 105], "the beginning of a user's turn"
    for body in asked:
        xargs = body["vllm_xargs"]
        known = [xargs["diffusion_seed_canvas"][i] for i in xargs["diffusion_pinned"]]
        assert 106 in known, "the end of the turn is pinned"


def test_a_free_answer_is_asked_for_all_steps_at_once(several: Engine, server: Process) -> None:
    since = len(server.seen())
    answering = several.fill(LONG)  # the server's own noise decides whether it ever ends
    drafts = list(itertools.islice(filter(None, answering), 2))
    answering.close()
    asked = fills_asked(server, since)
    assert {body["vllm_xargs"]["diffusion_max_steps"] for body in asked} == {STEPS}
    assert {len(body["vllm_xargs"]["diffusion_seed_canvas"]) for body in asked} == {tiny_gemma.CANVAS}
    assert {len(body["vllm_xargs"]["diffusion_pinned"]) for body in asked} == {0}
    assert len(drafts) == len(asked), "a draft after each canvas"
    assert [step.step for step in drafts] == [STEPS * (n + 1) for n in range(len(asked))]


def test_a_rewrite_that_is_late_is_not_cut_inside_a_canvas(remote: Engine) -> None:
    """The server finishes it all the same; the client may give up at any time."""
    expected, waited = remote.run(LONG), 0
    steps = remote.fill(LONG)
    step = next(steps)
    while True:
        waited += step is None
        try:
            step = steps.send("finish")
        except StopIteration as stop:
            late: Fill = stop.value
            break
    assert waited
    assert (late.texts, late.complete) == (expected.texts, True)
    given_up = remote.fill(LONG)
    assert next(given_up) is None
    given_up.close()


def test_an_image_is_refused(remote: Engine) -> None:
    with pytest.raises(Unfillable, match=r"leave the image out, or set infill.*openai, whose chat"):
        remote.run(replace(REWRITE, image=b"\x89PNG"))


def test_a_prompt_that_is_too_long_for_the_server(one_step: Path) -> None:
    flags = ("--model", str(one_step), "--name", NAME, "--model-len")
    with started(*flags, "9264") as server:
        engine = loaded(one_step, server)
        with pytest.raises(Unfillable, match=r"no room for a prompt of this length \(400\); select less, or"):
            engine.run(replace(HOLE, prefix="é" * 9_000 + "\n"))
    with (
        started(*flags, "9263") as server,
        pytest.raises(ModelError, match="9264 are needed; start"),
    ):
        loaded(one_step, server)


def test_by_its_id_with_the_small_files_alone(
    one_step: Path, server: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    get = rf"get it with `hf download {NAME} --include '\*\.json' --include '\*\.jinja'`"
    with pytest.raises(ModelError, match=f"tokenizer of {NAME} is not on this machine; {get}"):
        described(NAME)
    repository = tmp_path / f"models--{NAME.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    folder = without_weights(one_step, repository / "snapshots" / "abc")
    choice = Choice(model=NAME, backend="vllm", url=server.url)
    assert asyncio.run(check.checked(choice)) == {
        "servers": [(server.url, True, f"{NAME} denoises on its canvas")]
    }
    assert isinstance(load(choice), Engine)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"has no chat template.*; add its chat_template\.jinja"):
        load(choice)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=f"config.json is missing; {get}"):
        load(choice)
