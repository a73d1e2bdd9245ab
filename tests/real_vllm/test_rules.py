"""The stand-in's rules (`tests/support/vllm_rules.py`) beside what a real server answers."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from model_runtime.remote import wire
from tests.real_vllm.conftest import KEY
from tests.real_vllm.server import RealServer, serving
from tests.support.vllm_rules import Accepted, Deadly, Invalid, Served, accept

SERVED = Served(canvas=96, vocabulary=6144, model_len=2048)
CANVAS = [random.Random(0).randrange(8, 6144) for _ in range(96)]


def fill(prompt: int = 100, **xargs: Any) -> dict[str, Any]:
    ids = [2, *[300 + n % 5000 for n in range(prompt - 1)]]
    body = wire.fill("embedded", ids, CANVAS, [0, 1], 1)
    given = {f"diffusion_{name}": value for name, value in xargs.items()}
    kept = {name: value for name, value in (body["vllm_xargs"] | given).items() if value is not None}
    return body | {"vllm_xargs": kept}


ASKED: dict[str, dict[str, Any]] = {
    "a canvas": fill(),
    "the probe": wire.probe("embedded", [2]),
    "no room for all of the canvas": fill(1960),
    "room for one position": fill(2047),
    "no room for any": fill(2048),
    "no room for the prompt": fill(2049),
    "too wide a canvas": fill(canvas_length=97, seed_canvas=[9] * 97),
    "a narrow canvas": fill(canvas_length=12, seed_canvas=[9] * 12),
    "a seed of another width": fill(seed_canvas=[9] * 95),
    "a seed outside the vocabulary": fill(seed_canvas=[6144] * 96),
    "pins without a seed": fill(seed_canvas=None),
    "a pin outside": fill(pinned=[96]),
    "no steps": fill(max_steps=0),
    "more steps than there are": fill(max_steps=60),
    "read_only of 2": fill(read_only=2),
    "constrained to nothing": fill(constrained=1),
    "a temperature": fill() | {"temperature": 0.5},
    "a seed": fill() | {"seed": 1},
    "a biased token": fill() | {"logit_bias": {"9": 1.0}},
    "a form": fill() | {"response_format": {"type": "json_object"}},
    "as many log-probabilities as there are": fill() | {"logprobs": 20},
    "more log-probabilities": fill() | {"logprobs": 21},
    "a prompt outside the vocabulary": fill() | {"prompt": [6144]},
    "no prompt": fill() | {"prompt": []},
}


def post(server: RealServer, body: dict[str, Any], path: str = wire.COMPLETIONS) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    try:
        with urlopen(Request(server.url + path, json.dumps(body).encode(), headers), timeout=120) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("name", ASKED)
def test_the_stand_in_answers_as_the_real_one(server: RealServer, name: str) -> None:
    status, said = post(server, ASKED[name])
    expected = stand_in(ASKED[name])
    if isinstance(expected, str):
        assert status == 400, said
        message, words = json.loads(said)["error"]["message"], expected.split()
        common = [word for word in words if word in message.split()]
        assert len(common) >= 0.6 * len(words), f"{message!r}, not {expected!r}"
    else:
        assert status == 200, said
        assert len(json.loads(said)["choices"][0]["token_ids"]) == expected.room


def stand_in(body: dict[str, Any]) -> Accepted | str:
    try:
        return accept(body, SERVED)
    except Invalid as error:
        return str(error)


def test_prompt_logprobs_end_a_real_server_too(embedded: Path, folder: Path) -> None:
    """Why no request of ours has them. If this fails, vLLM has mended it: then ask by version."""
    for name, more in {"prompt_logprobs": {"prompt_logprobs": 0}, "echo": {"echo": True}}.items():
        body = fill() | more
        with pytest.raises(Deadly):
            accept(body, SERVED)
        if name == "echo":
            continue  # the same assertion; one start is enough
        log = folder / "ended.log"
        with serving(embedded, log, "--max-model-len", "2048", name="embedded", key=KEY) as doomed:
            with suppress(URLError, OSError):
                assert post(doomed, body)[0] != 200
            end = time.monotonic() + 60
            while doomed.process.poll() is None and time.monotonic() < end:
                time.sleep(0.5)
            assert not doomed.healthy
            assert "assert not prompt_logprobs_tensors" in log.read_text(errors="replace")


def test_an_adapter_cannot_be_served_beside_the_model(embedded: Path, folder: Path) -> None:
    log = folder / "lora.log"
    with (
        pytest.raises(AssertionError, match="vLLM ended"),
        serving(embedded, log, "--enable-lora", "--max-model-len", "2048", name="embedded"),
    ):
        pass
    assert "does not support LoRA" in log.read_text(errors="replace")
