"""From a choice of backend and URLs to an engine. Raises `faults.ModelError` where no server is right; one
that cannot be reached is no reason: it may be back when it is needed."""

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

if TYPE_CHECKING:
    from model_runtime.loading.prompt_setup import Prompting

log = logging.getLogger(__name__)

Meet = Callable[[str], Awaitable[Contact]]


def load(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> LoadedEngine:
    http = Http()
    if choice.backend == "openai":
        background, servers = _met(*texts_meeting(choice, http))
        return TextEngine(_named(choice) or "the server's model", http, servers, background)
    from model_runtime.loading import prompt_setup
    from model_runtime.remote.vllm import VllmDenoiser, VllmEngine
    from model_runtime.retrieval import reranker  # only here: this loads torch

    found = described(choice.model)
    prompting = prompt_setup.load(found)
    on_progress(0.5)
    background, servers = _met(*canvas_meeting(choice, http, prompting))
    tokens = prompting.tokens
    denoiser = VllmDenoiser(http, servers, background, tokens.profile, found.vocabulary)
    calibration = reranker.load(found.folder, reranker.DENOISED_FILE)
    return VllmEngine(choice.model, denoiser, tokens, calibration, prompting.chat)


def texts_meeting(choice: Choice, http: Http) -> tuple[list[str], Meet]:
    """The addresses, and how to meet a server of texts there."""
    places = dict(contact.split(url) for url in urls(choice))
    told: dict[str, contact.Kind] = {url: kind for url, kind in places.items() if kind}
    return list(places), contact.openai(http, _named(choice), told)


def canvas_meeting(choice: Choice, http: Http, prompting: Prompting) -> tuple[list[str], Meet]:
    """The addresses, and how to meet a server of canvases there."""
    profile = prompting.tokens.profile
    probe = tuple(prompting.tokens.encode(contact.PROBE_TEXT))
    opening = profile.context_step if prompting.chat else 0  # lines that begin an answer, and marks of turns
    needs = Needs(choice.model, profile.canvas, profile.context + opening + profile.canvas, probe)
    return [contact.split(url)[0] for url in urls(choice)], contact.vllm(http, needs)


def described(model: str) -> Checkpoint:
    """What this machine has of a model that a server has whole: tokenizer, configuration, chat template.
    Downloads nothing. Raises ModelError."""
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
    found = [url.strip() for url in choice.url.split(",") if url.strip()]
    if not found:
        raise ModelError(f"infill.backend {choice.backend} needs the server's address in infill.backendUrl")
    return list(dict.fromkeys(found))


def _named(choice: Choice) -> str:
    """The embedded model is on no server: it stands for whatever is there."""
    return "" if choice.model == "embedded" else choice.model


def _met(places: Sequence[str], meet: Meet) -> tuple[Background, Servers[Contact]]:
    """In an order of this worker's own: the first server is asked most, and knows its prefixes."""
    background, servers = Background(), Servers(random.sample(places, len(places)), meet)
    try:
        background.run(servers.meet_all())
    except Fault as fault:
        if not fault.again:
            raise ModelError(str(fault)) from None
        log.warning("%s", fault)
    return background, servers
