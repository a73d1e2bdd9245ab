"""The engine over OpenAI-compatible servers: which endpoint it uses, what it sends, how it ranks answers."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from msgspec import structs

from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.protocol import Choice, Fixed, Infill, Slot
from model_runtime.remote import answer as answer_types
from model_runtime.remote import texts
from model_runtime.remote.answer import UNKNOWN
from model_runtime.remote.loading import load
from tests.support.servers import Process, free_port, started
from tests.support.text_server import LOGPROB

ONE = Infill(
    id=1,
    document="a",
    prefix="import os\n",
    canvas=(Fixed("x = "), Slot(16), Fixed("\nprint(x)\n")),
    language="python",
    context=("# other.py\ndef helper(): ...\n",),
)
TWO = Infill(
    id=1,
    document="b",
    prefix="",
    canvas=(Fixed("a = "), Slot(4), Fixed("\nb = "), Slot(6), Fixed("\n")),
    language="python",
)
REWRITE = Infill(
    id=1,
    document="c",
    prefix="def f(a):\n",
    canvas=(Fixed("    "), Slot(64), Fixed("\n")),
    language="python",
    instruction="name it total",
    original="return a + 1",
)
Server = Callable[..., tuple[Process, texts.TextEngine]]


@pytest.fixture
def served() -> Iterator[Server]:
    """Starts a server and the engine that asks it."""
    running = []

    def start(*flags: str, answers: list[str], path: str = "") -> tuple[Process, texts.TextEngine]:
        server = started(*flags, module="tests.support.text_server")
        running.append(server)
        process = server.__enter__()
        data = json.dumps(answers).encode()
        urlopen(Request(process.url + "/answers", data, method="POST"), timeout=10).close()
        engine = load(Choice(backend="openai", url=process.url + path))
        assert isinstance(engine, texts.TextEngine)
        return process, engine

    yield start
    for server in running:
        server.__exit__(None, None, None)


def run(
    engine: texts.TextEngine, request: Infill, finish_after: int | None = None
) -> tuple[texts.Fill, list]:
    steps, seen, order = engine.fill(request), [], None
    while True:
        try:
            step = steps.send(order)
        except StopIteration as stop:
            return stop.value, seen
        if step:
            seen.append(step.texts())
        order = "finish" if finish_after is not None and len(seen) >= finish_after else None


def last(process: Process) -> dict[str, Any]:
    return json.loads(process.seen()[-1])


@pytest.mark.parametrize(
    ("flags", "path", "kind"),
    [
        (["--has", "fim,suffix,chat"], "", "fim"),
        (["--has", "infill,suffix,chat"], "", "infill"),
        (["--has", "fim,infill"], "/infill", "infill"),
        (["--has", "infill", "--no-logprobs"], "", "infill"),
        (["--has", "suffix,chat"], "/v1", "suffix"),
        (["--has", "chat"], "/", "chat"),
        (["--has", "fim,suffix,chat"], "/v1/chat/completions", "chat"),
        (["--has", "fim,suffix,chat"], "/v1/completions", "suffix"),
        (["--has", "suffix", "--no-logprobs"], "", "suffix"),
    ],
)
def test_the_endpoint_that_is_there_or_named(served: Server, flags: list[str], path: str, kind: str) -> None:
    process, engine = served(*flags, answers=["```\n42\n```" if kind == "chat" else "42"], path=path)
    fill, drafts = run(engine, ONE)
    assert fill.texts == ("42",)
    assert drafts
    assert fill.complete
    body = last(process)
    assert body["model"] == "embedded", "the one model that the server has"
    if kind == "chat":
        said = body["messages"][-1]["content"]
        assert "x = <HOLE>\nprint(x)" in said
        assert "def helper()" in said
    elif kind == "infill":
        assert body["input_prefix"] == "# other.py\ndef helper(): ...\nimport os\nx = "
        assert body["input_suffix"] == "\nprint(x)\n"
        assert body["n_predict"] == 16
    else:
        assert body["prompt"] == "# other.py\ndef helper(): ...\nimport os\nx = "
        assert body["suffix"] == "\nprint(x)\n"
        assert body["max_tokens"] == 16
    pieces = math.ceil(len("```\n42\n```") / 4) if kind == "chat" else 1
    known = "--no-logprobs" not in flags
    assert fill.confidence == pytest.approx(math.exp(LOGPROB * pieces) if known else UNKNOWN)


@pytest.mark.parametrize("said", ["Use 'max_completion_tokens' instead.", "unknown field"])
def test_a_chat_that_takes_another_limit(served: Server, said: str) -> None:
    """As OpenAI's newer models want it, whether the refusal names the other field or not."""
    process, engine = served("--has", "chat", "--newer", said, answers=["```\n42\n```"])
    assert run(engine, ONE)[0].texts == ("42",)
    assert last(process)["max_completion_tokens"] == 16 + texts.CHAT_TOKENS
    assert not {"max_tokens", "temperature"} & last(process).keys()
    assert run(engine, REWRITE)[0].texts


def test_several_holes(served: Server) -> None:
    """A completion endpoint is asked for each hole, a chat for all at once."""
    process, engine = served("--has", "fim", answers=["1"])
    before = len(process.seen())
    assert run(engine, TWO)[0].texts == ("1", "1")
    asked = [json.loads(body) for body in process.seen()[before:]]
    assert {(body["prompt"], body["suffix"]) for body in asked} == {
        ("a = ", "\nb = \n"),
        ("a = \nb = ", "\n"),
    }
    process, engine = served("--has", "chat", answers=["Sure:\n```python\n1\n```\nand\n```\n2\n```\n"])
    assert run(engine, TWO)[0].texts == ("1", "2")
    assert "a = <HOLE_1>\nb = <HOLE_2>\n" in last(process)["messages"][-1]["content"]


def test_a_rewrite_goes_through_the_chat_whatever_fills(served: Server) -> None:
    process, engine = served(
        "--pause", "0.03", answers=["```python\n    total = a + 1\n    return total\n```"]
    )
    fill, drafts = run(engine, REWRITE)
    assert fill.texts == ("total = a + 1\n    return total",)
    assert len(drafts) > 3, "it is streamed"
    said = last(process)["messages"][-1]["content"]
    assert "name it total" in said
    assert "    return a + 1\n" in said


def test_a_rewrite_is_as_sure_as_its_tokens_are_on_average(served: Server) -> None:
    """As a whole, a text of many lines is never likely."""
    _, engine = served("--has", "chat", answers=["```python\n    return total\n```"])
    assert run(engine, REWRITE)[0].confidence == pytest.approx(math.exp(LOGPROB))


def test_half_a_rewrite_is_none(served: Server) -> None:
    """It would delete the rest of what is rewritten."""
    process, engine = served("--has", "chat", "--pause", "0.03", answers=["```\n" + "a\n" * 40])
    with pytest.raises(Unfillable, match="out of time before the answer ended") as late:
        run(engine, REWRITE, finish_after=2)
    assert late.value.reason == "deadline"
    process.fault("length")
    with pytest.raises(Unfillable, match="did not end within 64 tokens"):
        run(engine, REWRITE)
    assert run(engine, ONE)[0].texts, "a fill may be cut off"


@pytest.mark.parametrize("path", ["", "/v1/chat/completions", "/v1/fim/completions"])
@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (b"\x89PNG\r\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", "gif"),
        (b"RIFF\0\0\0\0WEBP", "webp"),
    ],
)
def test_an_image_is_a_part_of_what_the_chat_is_told(
    served: Server, image: bytes, kind: str, path: str
) -> None:
    process, engine = served(answers=["```python\n    return total\n```"], path=path)
    assert run(engine, structs.replace(REWRITE, image=image))[0].texts == ("return total",)
    text, shown = last(process)["messages"][-1]["content"]
    assert "name it total" in text["text"]
    assert shown["image_url"]["url"] == f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    assert run(engine, REWRITE)[0].texts == ("return total",)
    assert isinstance(last(process)["messages"][-1]["content"], str), "as before without one"


@pytest.mark.parametrize("status", [400, 422, 500])  # vLLM and others; llama.cpp says 500
def test_a_server_that_reads_no_images(served: Server, status: int) -> None:
    _, engine = served("--blind", str(status), answers=["```python\n    return total\n```"])
    with pytest.raises(Unfillable, match="leave the image out, or set infill") as caught:
        run(engine, structs.replace(REWRITE, image=b"\x89PNG"))
    assert "\n" not in str(caught.value)
    assert "iVBO" not in str(caught.value), "nothing of the image"
    assert run(engine, REWRITE)[0].texts == ("return total",), "the server is not given up"


def test_other_faults_are_not_the_images(served: Server) -> None:
    process, engine = served(answers=["x"])
    process.fault("500")
    with pytest.raises(Unfillable, match=r"failed \(500\); its log says why"):
        run(engine, structs.replace(REWRITE, image=b"\x89PNG"))


def test_candidates_differ_and_the_surest_is_first(served: Server) -> None:
    process, engine = served("--has", "suffix", answers=["long text", "short", "long text"])
    fill, _ = run(engine, structs.replace(ONE, candidates=3))
    assert fill.texts in {("short",), ("long text",)}
    assert {fill.texts, *(each.texts for each in fill.alternatives)} == {("short",), ("long text",)}
    assert [each.confidence <= fill.confidence for each in fill.alternatives] == [True]
    temperatures = sorted(json.loads(body)["temperature"] for body in process.seen() if "stream" in body)
    assert temperatures == [0.0, texts.VARIED, texts.VARIED]


def test_an_empty_answer_is_the_last_choice(served: Server) -> None:
    """Whatever its confidence: an empty answer has no log-probabilities."""
    _, engine = served("--has", "suffix", answers=["", "long enough to be unsure of it", ""])
    fill, _ = run(engine, structs.replace(ONE, candidates=3))
    assert fill.texts == ("long enough to be unsure of it",)
    assert fill.confidence < UNKNOWN
    assert [each.texts for each in fill.alternatives] == [("",)]


def test_what_is_written_cannot_be_weighed() -> None:
    engine = load(Choice(backend="openai", url=f"http://127.0.0.1:{free_port()}"))
    request = Infill(id=1, document="", prefix="", canvas=(Slot(4), Fixed("\n")), original="x")
    with pytest.raises(Unfillable, match="can proofread"):
        next(engine.fill(request))


def test_a_text_that_is_more_than_certain() -> None:
    answer = answer_types.Answer([""])
    answer.take(answer_types.Chunk([answer_types.Choice(text="x", logprobs=answer_types.Logprobs([5e3]))]))
    assert answer.confidence == 1.0


def test_a_server_that_does_not_stop_writing(served: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST_TEXT", 100)
    _, engine = served("--has", "suffix", answers=["x" * 200])
    with pytest.raises(Unfillable, match="does not stop writing"):
        run(engine, ONE)


def test_a_server_that_writes_slower_than_anyone_waits(
    served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "LONGEST_S", 0.2)
    _, engine = served("--has", "suffix", "--pause", "0.1", answers=["x" * 200])
    with pytest.raises(Unfillable, match="takes too long"):
        run(engine, ONE)


def test_at_the_deadline_what_is_there_is_taken(served: Server) -> None:
    _, engine = served("--has", "suffix", "--pause", "0.03", answers=["a" * 400])
    fill, _ = run(engine, ONE, finish_after=1)
    assert not fill.complete
    assert 0 < len(fill.texts[0]) < 400


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("401", "wants an API key"),
        ("404", "check infill.backendUrl and infill.model"),
        ("429", "is busy \\(429\\) and asks to wait 7 s"),
        ("500", "failed \\(500\\)"),
        ("cut", "ended its answer midway"),
        ("cut stream", "ended its answer midway"),
        ("error in stream", "failed in the middle of its answer"),
        ("html", "answers in another format"),
    ],
)
def test_faults(served: Server, fault: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFILL_LS_API_KEY", raising=False)
    process, engine = served("--has", "suffix", "--retry-after", "7", answers=["some text"])
    process.fault(fault)
    with pytest.raises(Unfillable, match=message) as caught:
        run(engine, ONE)
    assert "import os" not in str(caught.value), "no text of the user's"


def test_servers_that_do_not_fit() -> None:
    with started("--has", "none", module="tests.support.text_server") as process:
        with pytest.raises(ModelError, match=r"has none of /v1/fim/completions, .* check infill\.backendUrl"):
            load(Choice(backend="openai", url=process.url))
        with pytest.raises(ModelError, match=r"infill\.model$"):
            load(Choice(backend="openai", url=process.url, model="other"))
    with pytest.raises(ModelError, match="needs the server's address"):
        load(Choice(backend="openai", url=" , "))
    engine = load(Choice(backend="openai", url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Unfillable, match="cannot be reached"):
        run(engine, ONE)  # type: ignore[arg-type]


def test_a_request_without_a_hole() -> None:
    engine = load(Choice(backend="openai", url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Unfillable, match="no hole"):
        next(engine.fill(Infill(id=1, document="", prefix="", canvas=(Fixed("x"),))))
