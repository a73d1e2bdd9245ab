"""First contact with a server: is it the right one, and how does it want to be asked?

A vLLM server has to have our model's vocabulary and a canvas that is wide enough. An OpenAI-compatible one is
asked which of four endpoints it has. Raises Fault with the remedy. Remembers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from model_runtime.remote import wire
from model_runtime.remote.faults import Fault, not_understood
from model_runtime.remote.http import Http

Kind = Literal["canvas", "fim", "infill", "suffix", "chat"]
Limit = Literal["max_tokens", "max_completion_tokens"]
PATHS: dict[Kind, str] = {
    "canvas": wire.COMPLETIONS,
    "fim": "/v1/fim/completions",
    "infill": "/infill",  # llama.cpp's own
    "suffix": "/v1/completions",
    "chat": "/v1/chat/completions",
}
PROBE_TEXT = "def f(x):\n\treturn {'caf\u00e9': x ** 2, \"\u65e5\": [1.5, None]}  # ok?\n"
SUFFIX = "\n# 2f6b1c\n"  # of a probe; nothing that a model would write by itself
MOST_NAMED = 4  # models that a message names
_NOT_THERE = (404, 405)
_OTHER_ENDPOINT = (*_NOT_THERE, 400, 422, 500, 501)  # what servers say of an endpoint or field they lack
# With log-probabilities, with a temperature: in the order in which they are tried.
_OPTIONS = ((True, True), (False, True), (True, False), (False, False))
# The endings of names of quantised copies.
_QUANTIZED = re.compile(
    r"[-_.](bf16|fp8|fp8-dynamic|nvfp4|mxfp4|int8|int4|w8a8|w4a16|awq|gptq|gguf|\d-?bit)$"
)


@dataclass(frozen=True, slots=True)
class Contact:
    """What a first contact found out: how this server is to be asked."""

    model: str  # as the server calls it
    kind: Kind
    logprobs: bool = True  # whether it gives them
    adjustable: bool = True  # takes a temperature; vLLM's diffusion models do not
    limit: Limit = "max_tokens"  # of a chat: the field that says how long an answer may be


class ProbeChoice(msgspec.Struct):
    text: str | None = None
    logprobs: Any = None


class ProbeAnswer(msgspec.Struct):
    choices: list[ProbeChoice] = []
    content: str | None = None  # of `/infill`, which has no choices
    completion_probabilities: Any = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a vLLM server has to have."""

    model: str
    canvas: int  # tokens
    tokens: int  # of prompt and canvas together
    probe: tuple[int, ...]  # our ids of PROBE_TEXT


def split(url: str) -> tuple[str, Kind | None]:
    """(the base address, the kind of endpoint). The kind is None unless `url` names an endpoint in full."""
    url = url.rstrip("/")
    kinds: list[Kind] = ["fim", "chat", "suffix", "infill"]
    for kind in kinds:
        if url.endswith(PATHS[kind]):
            return url.removesuffix(PATHS[kind]), kind
    return url.removesuffix("/v1"), None


def vllm(http: Http, needs: Needs) -> Callable[[str], Awaitable[Contact]]:
    """The first contact with a vLLM server, given its address. Raises Fault."""

    async def meet(url: str) -> Contact:
        served = (await http.get(url, wire.MODELS, wire.Models)).data
        named = [each for each in served if _same(each, needs.model)]
        found = named[0] if named else served[0] if len(served) == 1 else None
        if found is None:
            names = ", ".join(each.id for each in served[:MOST_NAMED]) or "nothing"
            raise Fault(f"{url} serves {names}, not {needs.model}; set infill.model to what it serves")
        await _check_canvas(http, url, found.id, needs)
        if not await _same_tokens(http, url, found.id, needs) and not named:
            raise Fault(
                f"{url} serves {found.id} and does not tell its vocabulary; set infill.model to that model, "
                f"or start the server with --served-model-name {needs.model} if it is the same"
            )
        if found.max_model_len and found.max_model_len < needs.tokens:
            raise Fault(
                f"{url} takes {found.max_model_len} tokens, {needs.tokens} are needed; "
                "start it with a larger --max-model-len"
            )
        return Contact(found.id, "canvas")

    return meet


async def _check_canvas(http: Http, url: str, model: str, needs: Needs) -> None:
    try:
        await http.post(url, wire.COMPLETIONS, wire.probe(model, needs.probe[:1]), wire.Completion)
    except Fault as fault:
        if fault.status != 400 or "diffusion" not in fault.said:
            raise
        width = wire.served_canvas(fault.said)
    else:
        raise Fault(
            f"{url} does not know vLLM's diffusion fields; serve {needs.model} with vLLM 0.32 or later, "
            "or set infill.backend to openai"
        )
    flag = f"--diffusion-config '{{\"canvas_length\": {max(256, needs.canvas)}}}'"
    if width is None:
        raise not_understood(url)
    if width < needs.canvas:
        raise Fault(
            f"{url} serves a canvas of {width} tokens, {needs.canvas} are needed; start it with {flag}"
        )


async def _same_tokens(http: Http, url: str, model: str, needs: Needs) -> bool:
    """Whether the server's vocabulary is known to be ours. Raises Fault where it is another one."""
    body = {"model": model, "prompt": PROBE_TEXT, "add_special_tokens": False}
    try:
        theirs = await http.post(url, wire.TOKENIZE, body, wire.Tokenized)
    except Fault as fault:
        if fault.status in (401, 403, 404, 405):  # a proxy may hide what is not below /v1
            return False
        raise
    if tuple(theirs.tokens) != needs.probe:
        raise Fault(
            f"{url} serves {model}, which has another vocabulary than {needs.model}; set infill.model to it"
        )
    return True


def openai(http: Http, model: str, named: Mapping[str, Kind]) -> Callable[[str], Awaitable[Contact]]:
    """The first contact with an OpenAI-compatible server, given its address. Raises Fault.

    `model`: empty for the only one that the server has. `named`: for addresses where the user named the
    endpoint in full, its kind."""

    async def meet(url: str) -> Contact:
        name = model or await _only_model(http, url)
        kinds: list[Kind] = [named[url]] if url in named else ["fim", "infill", "suffix", "chat"]
        fault: Fault | None = None
        for kind in kinds:
            refused: set[Limit] = set()
            for contact in _ways(name, kind):
                if contact.limit in refused:
                    continue
                try:
                    answer = await http.post(url, PATHS[kind], _probe(contact), ProbeAnswer)
                    if any(choice.text and SUFFIX in choice.text for choice in answer.choices):
                        break  # it appends the suffix to the answer, as `transformers serve` does
                except Fault as failed:
                    if failed.status not in _OTHER_ENDPOINT:
                        raise
                    fault = failed
                    if failed.status in _NOT_THERE:
                        break
                    if contact.kind == "chat" and "max_completion_tokens" in failed.said:
                        refused.add("max_tokens")
                else:
                    if not answer.choices and answer.content is None:
                        raise not_understood(url)
                    given = answer.completion_probabilities or any(c.logprobs for c in answer.choices)
                    return replace(contact, logprobs=contact.logprobs and bool(given))
        if len(kinds) == 1 and fault:
            raise fault
        tried = ", ".join(PATHS[kind] for kind in kinds)
        raise Fault(f"{url} has none of {tried} for {name}; check infill.backendUrl and infill.model")

    return meet


def _ways(model: str, kind: Kind) -> Iterator[Contact]:
    """To ask an endpoint of this kind, in the order in which they are tried. OpenAI's newer models, and
    servers that copy them, take no `max_tokens` in a chat; older servers know nothing else."""
    limits: list[Limit] = ["max_tokens", "max_completion_tokens"] if kind == "chat" else ["max_tokens"]
    for limit in limits:
        for logprobs, adjustable in _OPTIONS:
            yield Contact(model, kind, logprobs, adjustable, limit)


def _probe(contact: Contact) -> dict[str, Any]:
    """The smallest request to an endpoint of this kind."""
    # Models that take the newer field may think first, and fail if that is cut off.
    body: dict[str, Any] = {"model": contact.model, contact.limit: 1 if contact.limit == "max_tokens" else 16}
    if contact.kind == "chat":
        body["messages"] = [{"role": "user", "content": "x = "}]
    elif contact.kind == "infill":
        body |= {"input_prefix": "x = ", "input_suffix": SUFFIX, "n_predict": 1}
    else:
        body |= {"prompt": "x = ", "suffix": SUFFIX}
    if contact.adjustable:
        body["temperature"] = 0.0
    if contact.logprobs:
        wishes: dict[Kind, dict[str, Any]] = {"chat": {"logprobs": True}, "infill": {"n_probs": 1}}
        body |= wishes.get(contact.kind, {"logprobs": 1})
    return body


async def _only_model(http: Http, url: str) -> str:
    try:
        served = (await http.get(url, wire.MODELS, wire.Models)).data
    except Fault as fault:
        if fault.status != 404:
            raise
        raise Fault(f"{url} does not say what it serves; name the model in infill.model") from None
    if len(served) == 1:
        return served[0].id
    names = ", ".join(each.id for each in served[:MOST_NAMED]) or "nothing"
    raise Fault(f"{url} serves {names}; choose one with infill.model")


def _same(served: wire.Served, model: str) -> bool:
    """Whether a served model is the one meant, by its name alone. Owner, folder and kind of quantisation may
    differ."""
    wanted = _stem(model)
    return any(name and (name == model or _stem(name) == wanted) for name in (served.id, served.root))


def _stem(name: str) -> str:
    return _QUANTIZED.sub("", name.rstrip("/\\").replace("\\", "/").rpartition("/")[2].lower())
