"""Who takes part: names -> contenders. Models are loaded only if somebody needs them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from evaluation.contenders import SHIPPED, SHIPPED_LABEL, Contender, Local, Shipped
from lsp_server.config.settings import Settings


class Unknown(Exception):
    """There is no such contender; the message is one line for a person."""


def enter(
    settings: Settings, only: Sequence[str] | None, rival: Path | None
) -> tuple[dict[str, Contender], dict[str, str]]:
    """(contenders, their labels) by name, in the order of the table. Raises Unknown, ModelError."""
    from model_runtime.baselines import field
    from model_runtime.baselines.greedy import FillInTheMiddle
    from model_runtime.baselines.retrieved import copied
    from model_runtime.inference.engine import load_engine
    from model_runtime.protocol import Choice

    known = [SHIPPED, *field.FIELD, field.FIM]
    remote = settings.backend != "local"
    here = [name for name in known if name != field.FIM or rival] if not remote else [SHIPPED, "copy"]
    wanted = list(dict.fromkeys(only or here))
    for name in wanted:
        if name not in known:
            raise Unknown(f"there is no contender {name!r}; there are {', '.join(known)}")
    if field.FIM in wanted and not rival:
        raise Unknown("the contender 'fim' is a model of its own: name its folder with --fim")
    if remote and (parts := [name for name in wanted if name not in (SHIPPED, "copy", field.FIM)]):
        raise Unknown(f"{parts[0]!r} is a part of a model on this machine; leave out --backend to measure it")
    contenders: dict[str, Contender] = {}
    labels: dict[str, str] = {}
    local = [name for name in wanted if name in field.FIELD and name != "copy"]
    engine = load_engine(settings.choice) if local else None
    for name in (name for name in known if name in wanted):
        if name == SHIPPED:
            contenders[name], labels[name] = Shipped(settings), SHIPPED_LABEL
        elif name == field.FIM:
            rival_ask = FillInTheMiddle(load_engine(Choice(model=str(rival), device=settings.device)))
            contenders[name], labels[name] = Local(rival_ask, rival_ask.prepare), field.FIM_LABEL
        elif engine is None:
            contenders[name], labels[name] = Local(copied), field.FIELD[name].label
        else:
            entry = field.FIELD[name]
            contenders[name] = Local(entry.make(engine), partial(field.prefill, engine))
            labels[name] = entry.label
    return contenders, labels
