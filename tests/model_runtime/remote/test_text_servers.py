"""The engine over OpenAI-compatible servers, against a real one: `transformers serve`.

Its model is made here: tiny, and trained in seconds to answer everything with the same line.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.remote.answer import UNKNOWN
from model_runtime.remote.loading import load
from model_runtime.remote.texts import TextEngine
from tests.model_runtime.remote.test_texts import run
from tests.support import tiny
from tests.support.servers import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("fastapi", "uvicorn", "openai")),
        reason="transformers serve needs fastapi, uvicorn and openai: pip install 'transformers[serving]'",
    ),
]
LINE = "total + 1"
START_S = 120.0


def write_model(folder: Path) -> None:
    """A Llama that has learned one answer to whatever the chat says."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny.tokenizer(), eos_token=tiny.tokenizer().id_to_token(1)
    )
    begin = tiny.tokenizer().id_to_token(2)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}" + begin
    answer = [2, *tiny.tokenizer().encode(LINE, add_special_tokens=False).ids, 1]
    vocabulary = tiny.tokenizer().get_vocab_size()
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        said = torch.randint(8, vocabulary, (2, int(torch.randint(8, 260, ()))))
        ids = torch.cat([said, torch.tensor([answer] * 2)], 1)
        labels = ids.masked_fill(torch.arange(ids.shape[1])[None] <= said.shape[1], -100)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, model folder)."""
    folder, port = tmp_path_factory.mktemp("llama"), free_port()
    write_model(folder)
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "--device", "cpu"]
    command += ["--host", "127.0.0.1", "--port", str(port), str(folder)]
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until, url = time.monotonic() + START_S, f"http://127.0.0.1:{port}"
        while True:
            try:
                urlopen(url + "/health", timeout=5).close()
                break
            except (URLError, OSError):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < until
                time.sleep(0.3)
        yield url, folder
    finally:
        process.kill()
        process.wait(10)
        log.close()


REQUESTS = {
    "one hole": Infill(
        id=1,
        document="a",
        prefix="total = 1\n",
        canvas=(Fixed("x = "), Slot(16), Fixed("\n")),
        language="python",
    ),
    "candidates": Infill(
        id=1, document="a", prefix="", canvas=(Fixed("x = "), Slot(16), Fixed("\n")), candidates=3
    ),
    "rewrite": Infill(
        id=1,
        document="a",
        prefix="",
        canvas=(Slot(32), Fixed("\n")),
        instruction="add one",
        original="total",
        priority="rewrite",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_texts_of_a_real_server(server: tuple[str, Path], name: str) -> None:
    url, folder = server
    engine = load(Choice(model=str(folder), backend="openai", url=url))
    assert isinstance(engine, TextEngine)
    fill, drafts = run(engine, REQUESTS[name])
    assert fill.texts == (LINE,)
    assert fill.complete
    assert drafts
    assert fill.confidence == UNKNOWN, "it gives no log-probabilities"
    assert engine.servers() == {url: "ok, 0 running"}


def test_its_suffix_is_no_suffix(server: tuple[str, Path]) -> None:
    """It accepts one, and appends it to the answer: it must not be taken for a model that reads it."""
    import asyncio

    from model_runtime.remote import contact
    from model_runtime.remote.http import Http

    url, folder = server

    async def meet() -> contact.Contact:
        return await contact.openai(Http(), str(folder), {})(url)

    assert asyncio.run(meet()).kind == "chat"
