"""A remote backend from an editor's side: the real server and worker, and an HTTP server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from lsprotocol import types

from tests.conftest import private_workers, worker_processes
from tests.e2e.conftest import EXAMPLE, Place
from tests.e2e.test_stdio import Editor, running_editor, served
from tests.support.servers import Process, free_port, started

SECRET = "AKIAQ3EGRZ5JU7Y2M4PL"
ANSWER = "price(1)"  # of the server; a character or two would not be offered
KEY = "sk-not-for-any-command-line"
TEXT = "import shelf\n\n\ndef price(item):\n    return shelf.load_all(item)\n\n\nvalue = \n"


@pytest.fixture
def server() -> Iterator[Process]:
    arguments = ("--has", "suffix,chat", "--answer", ANSWER)
    with started(*arguments, module="tests.support.text_server") as process:
        yield process


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("INFILL_LS_API_KEY", KEY)
    with private_workers() as folder:
        yield folder


def logs(folder: Path) -> list[str]:
    found = [path.read_text() for path in folder.glob("*.log")]
    assert found
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A document beside a file with a secret in it, a file that is excluded, and one of passwords."""
    shelf = f"def load_all(item):\n    key = '{SECRET}'\n    return connect(key).all(item)\n"
    (tmp_path / "shelf.py").write_text(shelf)
    (tmp_path / "private.py").write_text("def excluded_name(item):\n    return item\n")
    (tmp_path / ".env").write_text("PASSWORD=hunter2hunter2\n")
    path = tmp_path / "main.py"
    path.write_text(TEXT)
    line = TEXT.count("\n") - 1
    return Place(path, TEXT, line, len("value = "))


@asynccontextmanager
async def editing(command: list[str], place: Place, **settings: object) -> AsyncIterator[Editor]:
    """An editor with the document open."""
    options = {"deadlineMs": 20_000, "confidenceThreshold": 0.0, "exclude": ["*/private.py"], **settings}
    async with running_editor(command, options, folder=place.path.parent) as editor:
        editor.open(place)
        yield editor


async def until(editor: Editor, place: Place, wanted: str, seconds: float = 60.0) -> None:
    """Ask until `wanted` is what is offered."""
    end = time.monotonic() + seconds
    while (text := await asyncio.wait_for(editor.ask(place), 30)) != wanted:
        assert time.monotonic() < end, f"still {text!r}"
        await asyncio.sleep(0.2)


async def test_text_of_a_server_and_nothing_secret_to_it(
    server_command: list[str], place: Place, server: Process, own_folder: Path
) -> None:
    settings = {"backend": "openai", "backendUrl": server.url, "trusted": True}
    async with editing(server_command, place, **settings) as editor:
        await until(editor, place, ANSWER)
        end = time.monotonic() + 30
        while "def load_all(item)" not in "".join(server.seen()):  # the workspace is read meanwhile
            assert time.monotonic() < end, "the signature of what is called never arrived"
            await until(editor, place, ANSWER)
        sent = "".join(map(str, server.seen()))
        assert "def price(item)" in sent
        for hidden in (SECRET, "excluded_name", "hunter2", KEY):
            assert hidden not in sent
        assert editor.shown == []
        params = types.ExecuteCommandParams("infill.status")
        told: Any = await asyncio.wait_for(editor.client.workspace_execute_command_async(params), 30)
        assert told["calibrated"] == "none", "nothing was fitted to this server's model"
        for process in worker_processes(own_folder):
            assert KEY not in " ".join(process.cmdline())
    assert [log for log in logs(own_folder) if KEY in log or SECRET in log] == []


FOLLOWED = "def price(item):\n    total = \n    return total\n"


@pytest.mark.parametrize(
    "answer",
    [
        "```python\nitem.cost\n```",
        "Sure! Here is the missing code:\n\n```python\nitem.cost\n```\n\nIt takes the cost.",
        "Here's the completed line:\n    total = item.cost",
        "```\n    total = item.cost\n    return total\n```",
        "```python\ndef price(item):\n    total = item.cost\n    return total\n```",
        "`item.cost`",
    ],
)
async def test_a_chat_that_says_too_much_gives_a_clean_edit(
    server_command: list[str], tmp_path: Path, answer: str
) -> None:
    path = tmp_path / "price.py"
    path.write_text(FOLLOWED)
    place = Place(path, FOLLOWED, 1, len("    total = "))
    flags = ["--has", "chat", "--newer", "Use 'max_completion_tokens' instead."]
    with started(*flags, module="tests.support.text_server") as server:
        data = json.dumps([answer]).encode()
        await asyncio.to_thread(urlopen, Request(server.url + "/answers", data, method="POST"))
        settings = {"backend": "openai", "backendUrl": server.url, "trusted": True}
        async with editing(server_command, place, **settings) as editor:
            await until(editor, place, "item.cost")


def test_the_command_line(server_command: list[str], place: Place, server: Process) -> None:
    """The server can be chosen by options, and `worker status` reports its state."""
    command, choice = server_command[:-1], ["--backend", "openai", "--backend-url", server.url]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments, *choice], capture_output=True, text=True, timeout=60)

    found = run("complete", str(place.path), "--at", f"{place.line + 1}:{place.column + 1}", "--json")
    assert json.loads(found.stdout)["text"] == ANSWER, found.stderr
    status = json.loads(run("worker", "status", "--json").stdout)
    assert status["servers"] == {server.url: "ok, 0 running"}
    assert status["device"] == f"server at {server.url}"
    assert status["calibrated"] == "none"
    assert f"{server.url}: ok, 0 running" in run("worker", "status").stdout
    assert json.loads(run("worker", "stop", "--json").stdout) == {"stopped": True}
    choice[:] = ["--backend-url", "gpu:8000"]
    wrong = run("complete", str(place.path), "--at", "1:1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "--backend-url: 'gpu:8000' is not empty or addresses like" in wrong.stderr


HOLES = "def f(a):\n    ...\n\n\ndef g(a):\n    ...\n\n\ndef h(a):\n    ...\n"


def test_fill_at_the_command_line(server_command: list[str], tmp_path: Path) -> None:
    """Indentation follows the block, a placeholder is no answer, what is unsure is left out until asked."""
    path = tmp_path / "holes.py"
    path.write_text(HOLES)
    answers = ["    if a:\n            b()", "pass", "return " + "a + " * 20 + "a"]
    with started("--has", "suffix", module="tests.support.text_server") as server:
        command = [
            *server_command[:-1],
            "fill",
            str(path),
            "--backend",
            "openai",
            "--backend-url",
            server.url,
        ]

        def run(*more: str) -> subprocess.CompletedProcess[str]:
            urlopen(Request(server.url + "/answers", json.dumps(answers).encode(), method="POST")).close()
            return subprocess.run([*command, *more], capture_output=True, text=True, timeout=60)

        found = run()
        added = [line for line in found.stdout.splitlines() if line.startswith("+")]
        assert added[1:] == ["+    if a:", "+        b()"], found.stderr
        assert "holes.py:2: 50% sure" in found.stderr
        assert "1 hole left alone: what the model wrote only holds the place, too" in found.stderr
        assert "--all takes them in (confidence)" in found.stderr
        assert "+    return a + a" in run("--all").stdout


async def test_a_url_that_nobody_vouches_for_is_not_asked(
    server_command: list[str], place: Place, server: Process
) -> None:
    async with editing(server_command, place, backend="openai", backendUrl=server.url) as editor:
        end = time.monotonic() + 60
        while not await served(editor):  # by the embedded model; whether what it says parses is its affair
            assert time.monotonic() < end, "the embedded model never answered"
            await asyncio.wait_for(editor.ask(place), 30)
        assert server.seen() == []
        assert any("backendUrl" in message and "trusted" in message for message in editor.shown)


async def test_the_editor_works_on_through_faults(
    server_command: list[str], place: Place, server: Process
) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    settings = {"backend": "openai", "backendUrl": f"{gone},{server.url}", "trusted": True}
    async with editing(server_command, place, **settings) as editor:
        await until(editor, place, ANSWER)
        for fault, remedy in (("500", "its log says why"), ("429", "add a server"), ("cut", "midway")):
            server.fault(fault)
            await until(editor, place, "")
            await until_shown(editor.shown, remedy)
            server.fault("")
            await until(editor, place, ANSWER)


async def test_a_slow_server_costs_the_deadline_and_no_more(
    server_command: list[str], place: Place, server: Process
) -> None:
    settings = {"backend": "openai", "backendUrl": server.url, "trusted": True, "deadlineMs": 1000}
    async with editing(server_command, place, **settings) as editor:
        await until(editor, place, ANSWER)
        server.fault("slow")
        for _ in range(3):
            began = time.monotonic()
            assert await asyncio.wait_for(editor.ask(place), 10) == ""
            assert time.monotonic() - began < 3
        server.fault("")
        await until(editor, place, ANSWER)


async def until_shown(shown: list[str], part: str) -> None:
    for _ in range(100):
        if any(part in message for message in shown):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"{part!r} was not shown, but {json.dumps(shown)}")


def test_vllm_gives_what_this_machine_gives(server_command: list[str]) -> None:
    """Through the command line, the real worker and a server with vLLM's rules."""
    command = [*server_command[:-1], "complete", str(EXAMPLE), "--at", "69:18", "--json"]
    here = subprocess.run(command, capture_output=True, text=True)
    with started("--alike") as server:
        choice = ["--backend", "vllm", "--backend-url", server.url]
        there = subprocess.run([*command, *choice], capture_output=True, text=True)
        assert any("diffusion_seed_canvas" in body for body in map(str, server.seen()))
    text = json.loads(here.stdout)["text"]
    assert text
    assert json.loads(there.stdout)["text"] == text, there.stderr
