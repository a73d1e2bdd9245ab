"""From a choice of backend and URLs to an engine. Raises `faults.ModelError` where no server is right; one
that cannot be reached is no reason: it may be back when it is needed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from model_runtime.faults import ModelError
from model_runtime.protocol import Choice
from model_runtime.remote import contact, texts
from model_runtime.remote.background import Background
from model_runtime.remote.balance import Servers
from model_runtime.remote.contact import Contact, Needs
from model_runtime.remote.faults import Fault
from model_runtime.remote.http import Http
from model_runtime.resident import LoadedEngine

log = logging.getLogger(__name__)

EMBEDDED = Path(__file__).resolve().parent.parent / "embedded"


def load(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> LoadedEngine:
    return _vllm(choice, on_progress) if choice.backend == "vllm" else _openai(choice, on_progress)


def urls(choice: Choice) -> list[str]:
    found = [url.strip() for url in choice.url.split(",") if url.strip()]
    if not found:
        raise ModelError(f"infill.backend {choice.backend} needs the server's address in infill.backendUrl")
    return list(dict.fromkeys(found))


def _openai(choice: Choice, on_progress: Callable[[float], None]) -> LoadedEngine:
    http = Http()
    places = dict(contact.split(url) for url in urls(choice))
    told = {url: kind for url, kind in places.items() if kind}
    model = "" if choice.model == "embedded" else choice.model
    background, servers = _met(list(places), contact.openai(http, model, told))
    on_progress(1.0)
    return texts.TextEngine(model or "the server's model", http, servers, background)


def _vllm(choice: Choice, on_progress: Callable[[float], None]) -> LoadedEngine:
    from model_runtime import profiles, rank
    from model_runtime.remote.vllm import VllmDenoiser, VllmEngine
    from model_runtime.tokens import Tokens

    folder = tokenizer_folder(choice.model)
    profile = profiles.EMBEDDED
    tokens = Tokens.load(folder, profile)
    on_progress(0.5)
    probe = tuple(tokens.encode(contact.PROBE_TEXT))
    needs = Needs(choice.model, profile.canvas, profile.context + profile.canvas, probe)
    http = Http()
    background, servers = _met([contact.split(url)[0] for url in urls(choice)], contact.vllm(http, needs))
    on_progress(1.0)
    denoiser = VllmDenoiser(http, servers, background, profile, tokens.tokenizer.get_vocab_size())
    writer = texts.TextEngine(choice.model, http, servers, background)
    return VllmEngine(choice.model, denoiser, tokens, rank.load(folder), writer)


def _met(
    places: Sequence[str], meet: Callable[[str], Awaitable[Contact]]
) -> tuple[Background, Servers[Contact]]:
    background, servers = Background(), Servers(places, meet)
    try:
        background.run(servers.meet_all())
    except Fault as fault:
        if not fault.again:
            raise ModelError(str(fault)) from None
        log.warning("%s", fault)
    return background, servers


def tokenizer_folder(model: str) -> Path:
    """Where a model's tokenizer is on this machine; its weights are not needed. Downloads nothing."""
    if model == "embedded":
        return EMBEDDED
    folder = Path(model).expanduser()
    if (folder / "tokenizer.json").is_file():
        return folder
    if folder.is_dir() or folder.is_absolute() or model.count("/") != 1:
        raise ModelError(f"{folder} has no tokenizer.json; copy it from the model that the server serves")
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "tokenizer.json")
    if not isinstance(found, str):
        raise ModelError(
            f"the tokenizer of {model} is not on this machine; get it with "
            f"`hf download {model} tokenizer.json config.json`"
        )
    return Path(found).parent
