"""Where torch, transformers, accelerate, safetensors and websockets are not installed: a server's models
work, and what needs a library says so in one line. The environment is real; its other packages are links."""

from __future__ import annotations

import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import private_workers
from tests.e2e.conftest import Place
from tests.e2e.test_stdio import running_editor
from tests.support.paths import ROOT
from tests.support.servers import started

LEFT_OUT = ("torch", "transformers", "accelerate", "safetensors", "websockets")
ANSWER = "item.total()"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that lacks them."""
    folder = tmp_path_factory.mktemp("small")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    into = folder / Path(site.getsitepackages()[0]).relative_to(sys.prefix)
    for found in Path(site.getsitepackages()[0]).iterdir():
        if found.suffix != ".pth" and found.name.partition("-")[0] not in LEFT_OUT:
            (into / found.name).symlink_to(found)
    (into / "checkout.pth").write_text(f"{ROOT}\n")
    return str(folder / Path(sys.executable).relative_to(sys.prefix))


@pytest.fixture(autouse=True)
def own_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with private_workers():
        yield


def run(python: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "lsp_server", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize(
    ("backend", "module", "options"),
    [
        ("openai", "text_server", ("--has", "suffix", "--answer", ANSWER)),
        ("vllm", "vllm_server", ()),
    ],
)
def test_a_servers_model_completes(
    python: str, place: Place, tmp_path: Path, backend: str, module: str, options: tuple[str, ...]
) -> None:
    """The environment has its settings from the command line, as in a user's first try."""
    with started(*options, module=f"tests.support.{module}") as server:
        at = f"{place.line + 1}:{place.column + 1}"
        done = run(
            python, "complete", place.path, "--at", at, "--backend", backend, "--backend-url", server.url
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert backend == "vllm" or done.stdout.strip() == ANSWER


async def test_an_editor_is_served(python: str, place: Place) -> None:
    with started("--has", "suffix", "--answer", ANSWER, module="tests.support.text_server") as server:
        options = {"backend": "openai", "backendUrl": server.url, "trusted": True, "deadlineMs": 20_000}
        async with running_editor([python, "-m", "lsp_server", "serve"], options) as editor:
            editor.open(place)
            assert await editor.ask(place) == ANSWER


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("complete", "{path}", "--at", "1:1"), LEFT_OUT[:4]),
        (("eval", "{path}"), LEFT_OUT[:4]),
        (("bench",), LEFT_OUT[:4]),
        (("models", "export", "{path}.out", "--for", "hf"), LEFT_OUT[:4]),
        (("play", "--no-browser"), LEFT_OUT[4:]),
    ],
    ids=lambda each: each[0],
)
def test_what_is_missing_is_told_in_one_line(
    python: str, tmp_path: Path, arguments: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    (tmp_path / "a.py").write_text("value = \n")
    done = run(python, *(each.format(path=tmp_path / "a.py") for each in arguments))
    assert done.returncode == 1
    *waiting, line = done.stderr.splitlines()
    assert all(each.startswith("waiting for the worker") for each in waiting)  # on a slow machine
    assert f"`{python} -m pip install " in line
    command = line.partition("pip install ")[2].partition("`")[0]
    assert set(command.split()) == set(needed)


def test_the_doctor_says_how_to_get_it(python: str) -> None:
    done = run(python, "doctor")
    assert "torch cannot be loaded: No module named 'torch'" in done.stdout
    needed = "torch, safetensors, transformers, accelerate"
    remedy = f"-> a model on this machine needs {needed}, not installed here; run `{python} -m pip install"
    assert remedy in done.stdout
