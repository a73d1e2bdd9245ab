"""Which contenders take part, by name. A model is loaded only if one of them needs it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from evaluation.contenders import SHIPPED, SHIPPED_LABEL, Contender, InProcess, Shipped
from lsp_server.config.settings import Settings


class UnknownContender(Exception):
    """No contender of that name can take part; the message is one line for a person."""


def select(
    settings: Settings, only: Sequence[str] | None, fim: Path | None
) -> tuple[dict[str, Contender], dict[str, str]]:
    """(contenders, their labels) by name, in the order of the table: `only` those, or all that can take part.

    `fim`: the folder of the model for the contender of that name. Raises UnknownContender, ModelError."""
    from model_runtime.baselines import registry
    from model_runtime.baselines.drafts import copied
    from model_runtime.baselines.greedy import Causal
    from model_runtime.inference.engine import load_engine
    from model_runtime.protocol import Choice
    from model_runtime.retrieval.library import Library

    known = [SHIPPED, *registry.BASELINES, registry.FIM]
    remote = settings.backend != "local"
    here = [name for name in known if name != registry.FIM or fim] if not remote else [SHIPPED, "copy"]
    wanted = list(dict.fromkeys(only or here))
    for name in wanted:
        if name not in known:
            raise UnknownContender(f"there is no contender {name!r}; there are {', '.join(known)}")
    if registry.FIM in wanted and not fim:
        raise UnknownContender("the contender 'fim' is a model of its own: name its folder with --fim")
    if remote and (parts := [name for name in wanted if name not in (SHIPPED, "copy", registry.FIM)]):
        raise UnknownContender(
            f"{parts[0]!r} is a part of a model on this machine; leave out --backend to measure it"
        )
    contenders: dict[str, Contender] = {}
    labels: dict[str, str] = {}
    local = [name for name in wanted if name in registry.BASELINES and name != "copy"]
    engine = load_engine(settings.choice) if local else None
    library = Library()
    if engine:
        engine.use(library)
    for name in (name for name in known if name in wanted):
        if name == SHIPPED:
            contenders[name], labels[name] = Shipped(settings), SHIPPED_LABEL
        elif name == registry.FIM:
            other = load_engine(Choice(model=str(fim), device=settings.device))
            contenders[name] = InProcess(Causal(other), partial(registry.prefill, other))
            labels[name] = registry.FIM_LABEL
        elif engine is None:
            contenders[name], labels[name] = InProcess(copied), registry.BASELINES[name].label
        else:
            baseline = registry.BASELINES[name]
            told = None if any(each != SHIPPED for each in contenders) else library  # one for all of them
            contenders[name] = InProcess(baseline.make(engine), partial(registry.prefill, engine), told)
            labels[name] = baseline.label
    return contenders, labels
