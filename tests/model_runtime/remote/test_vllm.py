"""The denoiser over vLLM, against a server process with vLLM's own rules and the embedded model."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from msgspec.structs import replace

from model_runtime.baselines.registry import changed
from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.diffusion.interface import DenoiseError, Row
from model_runtime.inference.engine import Engine, load_engine
from model_runtime.loading.checkpoint import EMBEDDED_FOLDER
from model_runtime.prompting import profiles
from model_runtime.protocol import Choice, Fixed, Infill, Slot, Texts, Token
from model_runtime.remote import contact, wire
from model_runtime.remote.background import Background
from model_runtime.remote.balance import Servers
from model_runtime.remote.http import Http
from model_runtime.remote.loading import load
from model_runtime.remote.vllm import VllmDenoiser
from model_runtime.retrieval import reranker
from model_runtime.retrieval.library import Library
from model_runtime.training import served
from tests.support import tiny
from tests.support.servers import Process, free_port, make_certificate, started

PREFIX = "import os\n\n\nclass Shelf:\n    def __init__(self, name, price):\n        self.name = name\n"
HOLES = {
    "end of line": Infill(
        id=1,
        document="a",
        prefix=PREFIX,
        canvas=(Fixed("        self.price = "), Slot(16), Fixed("\n")),
        seed=3,
    ),
    "candidates": Infill(
        id=1,
        document="b",
        prefix=PREFIX,
        canvas=(Fixed("        self."), Slot(24), Fixed("\n\n    def total(self):\n")),
        seed=4,
        candidates=3,
    ),
    "two holes": Infill(
        id=1,
        document="c",
        prefix=PREFIX,
        canvas=(Fixed("    def f(self, "), Slot(6), Fixed("):\n        return "), Slot(8), Fixed("\n")),
        seed=5,
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    with started() as process:
        yield process


def as_served(folder: Path) -> Engine:
    """A model on this machine of which no more is known than of one on a server."""
    local = load_engine(Choice(model=str(folder), device="cpu"))
    return served.engine(local, reranker.load(folder, reranker.DENOISED_FILE))


@pytest.fixture(scope="module")
def local() -> Engine:
    return as_served(EMBEDDED_FOLDER)


def remote(url: str) -> Engine:
    engine = load(Choice(backend="vllm", url=url))
    assert isinstance(engine, Engine)
    return engine


@pytest.mark.parametrize("name", HOLES)
def test_the_same_noise_gives_the_same_fill(server: Process, local: Engine, name: str) -> None:
    here, there = local.run(HOLES[name]), remote(server.url).run(HOLES[name])
    assert there.texts == here.texts
    assert [each.texts for each in there.alternatives] == [each.texts for each in here.alternatives]
    assert there.sources == here.sources
    assert there.confidence == pytest.approx(here.confidence, abs=2e-3)


def test_what_it_does_can_be_watched(server: Process, local: Engine) -> None:
    """A draft has the same pieces as one from this machine, except for what is accepted."""

    def drawn(engine: Engine) -> list[Token]:
        *_, last = filter(None, engine.fill(HOLES["two holes"]))
        return list(last.tokens())

    here, there = drawn(local), drawn(remote(server.url))
    assert [(each.text, each.before) for each in there] == [(each.text, each.before) for each in here]
    assert {each.state for each in there} == {"pinned", "accepted"}


def test_several_steps_and_lengths(server: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is asked for one step of all lengths, then for all steps of the best ones."""
    policy = dataclasses.replace(profiles.EMBEDDED.policy, max_steps=6)
    profile = dataclasses.replace(
        profiles.EMBEDDED, policy=policy, length=CandidateLengths((2, 4, 8), survivors=2)
    )
    monkeypatch.setattr(profiles, "EMBEDDED", profile)
    engine, before = remote(server.url), len(server.seen())
    fill = engine.run(HOLES["end of line"])
    assert fill.complete
    assert fill.steps == 6
    asked = [json.loads(body)["vllm_xargs"] for body in server.seen()[before:] if "diffusion_pinned" in body]
    assert [each["diffusion_max_steps"] for each in asked] == [1] * 4 + [6] * 2
    assert all(each["diffusion_canvas_length"] == len(each["diffusion_seed_canvas"]) for each in asked)


def test_a_wait_can_be_given_up_and_ends_with_the_best_so_far(server: Process, monkeypatch) -> None:
    policy = dataclasses.replace(profiles.EMBEDDED.policy, max_steps=6)
    monkeypatch.setattr(profiles, "EMBEDDED", dataclasses.replace(profiles.EMBEDDED, policy=policy))
    engine = remote(server.url)
    steps, seen = engine.fill(HOLES["end of line"]), []
    while (step := next(steps)) is None:
        seen.append(step)
    assert seen
    assert step.step == 1
    assert next(steps) is None, "the second round is under way"
    with pytest.raises(StopIteration) as stop:
        steps.send("finish")
    assert (stop.value.value.steps, stop.value.value.complete) == (1, False)
    waiting = engine.fill(HOLES["two holes"])
    assert next(waiting) is None
    waiting.close()
    assert engine.run(HOLES["two holes"]).texts


def test_closing_a_fill_closes_its_connection(server: Process) -> None:
    engine = remote(server.url)
    server.fault("slow")
    try:
        began = time.monotonic()
        waiting = engine.fill(HOLES["end of line"])
        assert [next(waiting) for _ in range(5)] == [None] * 5
        waiting.close()
        assert time.monotonic() - began < 2
    finally:
        server.fault("")


def test_nothing_is_asked_for_that_ends_a_server(server: Process) -> None:
    """A vLLM with a diffusion model survives no `prompt_logprobs`, which `echo` asks for too."""
    engine = remote(server.url)
    for request in (*HOLES.values(), replace(HOLES["end of line"], original="price")):
        engine.run(request)
    assert server.process.poll() is None
    assert not any(word in body for body in server.seen() for word in ("prompt_logprobs", '"echo"'))
    with started() as doomed:
        body = wire.fill("embedded", [2], [9] * 4, [], 1) | {"prompt_logprobs": 0}
        request = Request(f"{doomed.url}/v1/completions", json.dumps(body).encode())
        with pytest.raises((URLError, OSError)):
            urlopen(request, timeout=10)
        assert doomed.process.wait(10) == 1


def test_a_shortened_canvas_is_no_room(server: Process) -> None:
    """vLLM answers with what it had room for, which is not what was asked."""
    denoiser = remote(server.url).denoiser
    for tokens in (4000, 4001, 4095, 4096, 4097):
        row, policy = Row([9] * 96, [True, *[False] * 95]), profiles.EMBEDDED.policy
        asking = denoiser.denoise([2, *[300] * (tokens - 1)], [row], policy, 0)
        if tokens == 4000:
            assert len(next(filter(None, asking)).read().ids[0]) == 95
        else:
            with pytest.raises(
                DenoiseError, match=r"has no room for a prompt of this length \(400\); select"
            ):
                list(asking)


def test_drafts_are_composed_here_and_cost_no_request(server: Process) -> None:
    """The workspace's texts stay in this process: no request holds any of them."""
    engine, library = remote(server.url), Library()
    asked, found = replace(HOLES["end of line"], workspace="w", language="python"), []
    engine.on_scored = lambda candidates, scores: found.append({each.text: each for each in candidates})
    before = len(server.seen())
    engine.run(asked)
    alone = [body for body in server.seen()[before:] if "diffusion_pinned" in body]
    library.put("client", Texts("w", "python", {"f": "        self.price = quote(name)\n" * 3}))
    engine.use(library)
    while library.work(1.0):
        pass
    fill = engine.run(asked)
    told = [body for body in server.seen()[before + len(alone) :] if "diffusion_pinned" in body]
    assert "quote(name)" not in found[0]
    assert found[1]["quote(name)"].ngram is not None
    assert [json.loads(body) for body in told] == [json.loads(body) for body in alone]
    assert fill.texts


def test_a_canvas_may_start_from_a_composed_text(server: Process, local: Engine) -> None:
    asked = replace(HOLES["end of line"], context=("        self.price = quote(name)\n" * 3,))
    before = len(server.seen())
    here, there = (
        changed(each, lambda profile: dataclasses.replace(profile, mended=1)).run(asked)
        for each in (local, remote(server.url))
    )
    assert (there.texts, there.sources) == (here.texts, here.sources)
    told = [json.loads(body) for body in server.seen()[before:] if "diffusion_pinned" in body]
    ids = local.tokens.encode("quote(name)")
    seeds = [body["vllm_xargs"]["diffusion_seed_canvas"] for body in told]
    assert [any(seed[i:][: len(ids)] == ids for i in range(len(seed))) for seed in seeds].count(True) == 1


FAULTS = {
    "401": "refuses the key in INFILL_LS_API_KEY|wants an API key",
    "404": "check infill.backendUrl and infill.model",
    "429": "add a server to infill.backendUrl",
    "500": "failed \\(500\\); its log says why",
    "503": "is busy \\(503\\)",
    "redirect": "which is not followed; correct infill.backendUrl",
    "html": "check that infill.backend fits what runs there",
    "cut": "ended its answer midway; its log says why",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_one_line_with_a_remedy(server: Process, kind: str) -> None:
    engine = remote(server.url)
    server.fault(kind)
    try:
        with pytest.raises(Unfillable, match=FAULTS[kind]) as caught:
            engine.run(HOLES["end of line"])
        assert caught.value.reason == "failed"
        assert "\n" not in str(caught.value)
        assert server.url in str(caught.value)
        assert str(caught.value) == engine.servers()[server.url]
    finally:
        server.fault("")


WRONG = {
    "no diffusion fields": (["--fault", "old"], "serve embedded with vLLM 0.32 or later"),
    "narrow canvas": (["--canvas", "32"], 'start it with --diffusion-config .{"canvas_length": 256}'),
    "few tokens": (["--model-len", "512"], "start it with a larger --max-model-len"),
    "key": (["--key", "s3cret"], "wants an API key \\(401\\); set INFILL_LS_API_KEY"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_server_that_does_not_fit_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flags, message = WRONG[kind]
    monkeypatch.delenv("INFILL_LS_API_KEY", raising=False)
    with started(*flags) as server, pytest.raises(ModelError, match=message):
        remote(server.url)


def test_another_model_is_refused(server: Process, tmp_path: Path) -> None:
    """By its vocabulary where the names do not tell. One with the same vocabulary may have any name."""
    folder = tiny.write_folder(tmp_path / "mine")
    with pytest.raises(ModelError, match="has another vocabulary than"):
        load(Choice(model=str(folder), backend="vllm", url=server.url))
    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "same", ignore=shutil.ignore_patterns("*.safetensors"))
    load(Choice(model=str(tmp_path / "same"), backend="vllm", url=server.url))
    other = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text().replace("<gap>", "<hole>"))
    (tmp_path / "same" / "tokenizer.json").write_text(json.dumps(other))
    with pytest.raises(ModelError, match=r"was not trained by this project; add its chat_template"):
        load(Choice(model=str(tmp_path / "same"), backend="vllm", url=server.url))
    with pytest.raises(ModelError, match="is not on this machine; get it with `hf download org/none"):
        load(Choice(model="org/none", backend="vllm", url=server.url))


def test_a_key_and_a_private_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("INFILL_LS_API_KEY", "s3cret")
    with started("--key", "s3cret", "--certificate", *certificate, scheme="https") as server:
        engine = remote(server.url)
        with pytest.raises(Unfillable, match=r"is not trusted here .*set SSL_CERT_FILE"):
            engine.run(HOLES["end of line"])
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        assert remote(server.url).run(HOLES["end of line"]).texts


def test_a_server_that_is_gone_is_no_reason_not_to_start(server: Process) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    engine = remote(gone)
    with pytest.raises(Unfillable, match="cannot be reached \\(connrefused\\); start the server or correct"):
        engine.run(HOLES["end of line"])
    both = remote(f"{gone}, {server.url}/v1")
    assert both.run(HOLES["end of line"]).texts
    states = both.servers()
    assert states[server.url] == "ok, 0 running"
    assert "cannot be reached" in states[gone]


def test_the_same_server_writes_texts(server: Process) -> None:
    """Asked by chat, which takes no temperature. What the embedded model writes there is of no use."""
    request = Infill(
        id=1,
        document="d",
        prefix=PREFIX,
        canvas=(Slot(96), Fixed("\n")),
        instruction="shorter",
        original="x = 1",
        priority="rewrite",
    )
    with pytest.raises(Unfillable, match="follows no instructions"):
        remote(server.url).run(request)
    engine = load(Choice(backend="openai", url=server.url))
    drafts = []

    def fill() -> None:
        for step in engine.fill(request):
            drafts.extend([step.texts()] if step else [])

    with pytest.raises(Unfillable, match="did not end within 96 tokens"):
        fill()
    assert len(drafts) > 2, "it is streamed"
    body = json.loads(server.seen()[-1])
    assert body["stream"]
    assert "temperature" not in body
    assert body["max_tokens"] > 96


@pytest.mark.parametrize(
    ("row", "expected", "logprob"),
    [
        (Row([0, 0], [True, False]), 40, -2.0 - math.log(1 - math.exp(-0.5) - math.exp(-1.5))),
        (Row([0, 0], [True, False], free=True), 5, -0.5),
        (Row([0, 0], [True, False], starts=frozenset({41})), 41, None),
        (Row([0, 0], [True, False], starts=frozenset({99})), 40, None),  # none of them came back
    ],
    ids=["special tokens are passed over", "free", "healing", "healing in vain"],
)
def test_of_the_likeliest_tokens_the_first_permitted(row: Row, expected: int, logprob: float | None) -> None:
    """5 is special by its place, 30 by name; the known position counts nothing."""
    profile = dataclasses.replace(profiles.EMBEDDED, special=frozenset({30}))
    servers = Servers([], meet=contact.vllm(Http(""), contact.Needs("m", 1, 1, ())))
    denoiser = VllmDenoiser(Http(""), servers, Background(), profile, 100)
    likeliest = {5: -0.5, 30: -1.5, 40: -2.0, 41: -3.0}
    ((token, found),) = denoiser._picked(row, [{7: 0.0}, likeliest])
    assert token == expected
    if logprob is not None:
        assert found == pytest.approx(logprob)
