"""From a choice of backend and URLs to an engine.

A server that is the wrong one is a `faults.ModelError`. One that cannot be reached is not: it may be back
when it is needed.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.daemon.lifecycle import LoadedEngine
from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import checkpoint
from model_runtime.loading.checkpoint import Checkpoint
from model_runtime.protocol import Choice
from model_runtime.remote import contact
from model_runtime.remote.background import Background
from model_runtime.remote.balance import Servers
from model_runtime.remote.contact import Contact, Needs
from model_runtime.remote.faults import Fault
from model_runtime.remote.http import Http
from model_runtime.remote.texts import TextEngine
from model_runtime.retrieval import scaling

if TYPE_CHECKING:
    from model_runtime.loading.prompt_setup import Prompting

log = logging.getLogger(__name__)

Meet = Callable[[str], Awaitable[Contact]]


def load(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> LoadedEngine:
    """A `lifecycle.Loader`. Raises `faults.ModelError`."""
    http = Http()
    if choice.backend == "openai":
        background, servers = _in_contact(*text_servers(choice, http))
        name = _model_name(choice) or "the server's model"
        return TextEngine(name, http, servers, background, scaling.load(choice))
    from model_runtime.loading import prompt_setup
    from model_runtime.remote.vllm import VllmDenoiser, VllmEngine
    from model_runtime.retrieval import reranker  # only here: this loads torch

    found = described(choice.model)
    prompting = prompt_setup.load(found)
    on_progress(0.5)
    background, servers = _in_contact(*canvas_servers(choice, http, prompting))
    tokens = prompting.tokens
    denoiser = VllmDenoiser(http, servers, background, tokens.profile, found.vocabulary)
    calibration = reranker.load(found.folder, reranker.DENOISED_FILE)
    engine = VllmEngine(choice.model, denoiser, tokens, calibration, prompting.chat)
    engine.scale = scaling.load(choice)
    return engine


def text_servers(choice: Choice, http: Http) -> tuple[list[str], Meet]:
    """For an OpenAI-compatible backend: the servers' addresses, and the first contact with one of them."""
    found = dict(contact.split(url) for url in urls(choice))
    named: dict[str, contact.Kind] = {url: kind for url, kind in found.items() if kind}
    return list(found), contact.openai(http, _model_name(choice), named)


def canvas_servers(choice: Choice, http: Http, prompting: Prompting) -> tuple[list[str], Meet]:
    """For a vLLM backend: the servers' addresses, and the first contact with one of them."""
    profile = prompting.tokens.profile
    probe = tuple(prompting.tokens.encode(contact.PROBE_TEXT))
    # A chat adds tokens of its own: marks of turns, and the lines that an answer begins with.
    opening = profile.context_step if prompting.chat else 0
    needs = Needs(choice.model, profile.canvas, profile.context + opening + profile.canvas, probe)
    return [contact.split(url)[0] for url in urls(choice)], contact.vllm(http, needs)


def described(model: str) -> Checkpoint:
    """The tokenizer, configuration and chat template of a model whose weights only a server has. Downloads
    nothing. Raises ModelError."""
    again = "copy it from the model that the server serves"
    if model == "embedded":
        return checkpoint.describe(checkpoint.EMBEDDED_FOLDER, again)
    if not checkpoint.is_id(model):
        return checkpoint.describe(Path(model).expanduser(), again)
    from huggingface_hub import try_to_load_from_cache

    again = f"get it with `hf download {model} --include '*.json' --include '*.jinja'`"
    found = try_to_load_from_cache(model, "tokenizer.json")
    if not isinstance(found, str):
        raise ModelError(f"the tokenizer of {model} is not on this machine; {again}")
    return checkpoint.describe(Path(found).parent, again)


def urls(choice: Choice) -> list[str]:
    """Of `infill.backendUrl`, each once. Raises ModelError where there is none."""
    found = [url.strip() for url in choice.url.split(",") if url.strip()]
    if not found:
        raise ModelError(f"infill.backend {choice.backend} needs the server's address in infill.backendUrl")
    return list(dict.fromkeys(found))


def _model_name(choice: Choice) -> str:
    """The name to ask a text server for; empty for the only model that it has. The embedded model, which is
    the default, is on no such server, so it stands for that one."""
    return "" if choice.model == "embedded" else choice.model


def _in_contact(urls: Sequence[str], meet: Meet) -> tuple[Background, Servers[Contact]]:
    """After a first contact with all servers. Their order is random, one for each worker: the first is asked
    most, so workers spread over the servers and each finds its own prefixes cached there."""
    background, servers = Background(), Servers(random.sample(urls, len(urls)), meet)
    try:
        background.run(servers.meet_all())
    except Fault as fault:
        if not fault.again:
            raise ModelError(str(fault)) from None
        log.warning("%s", fault)
    return background, servers
