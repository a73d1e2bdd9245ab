"""The table of baselines: name, label in reports, and how each is made from a loaded engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from model_runtime.baselines.drafts import DraftsAlone, copied
from model_runtime.baselines.greedy import Causal
from model_runtime.baselines.texts_ranked import RankedByTexts
from model_runtime.diffusion.hole_length import CandidateLengths, FixedLength
from model_runtime.diffusion.policy import Policy, entropy_bound
from model_runtime.inference.engine import Engine, Fill
from model_runtime.prompting.layout import LayoutError, Tokens
from model_runtime.prompting.profiles import Profile
from model_runtime.protocol import Infill

Ask = Callable[[Infill], Fill]  # raises Unfillable
Change = Callable[[Profile], Profile]


@dataclass(frozen=True)
class Baseline:
    label: str
    make: Callable[[Engine], Ask]


def changed(engine: Engine, change: Change) -> Engine:
    """The same loaded model and texts under another profile."""
    tokens = Tokens(engine.tokens.tokenizer, change(engine.tokens.profile))
    other = Engine(engine.name, engine.denoiser, tokens, engine.calibration, scale=engine.scale)
    other.drafting.library = engine.drafting.library
    return other


def prefill(engine: Engine, request: Infill) -> None:
    """Encode the request's prompt into the prefix cache; nothing happens where it cannot be laid out."""
    with suppress(LayoutError):
        engine.denoiser.prefill(engine.tokens.lay(request).prompt)


def _under(change: Change) -> Callable[[Engine], Ask]:
    return lambda engine: changed(engine, change).run


def _denoising(p: Profile) -> Profile:
    return replace(p, drafts=0, composed=0, written=0)


def _alone(steps: int, bound: float = 2.0) -> Change:
    """The denoiser without drafts, up to `steps` steps."""

    def change(p: Profile) -> Profile:
        policy = replace(p.policy, max_steps=steps)
        if isinstance(policy, Policy):  # a model that unmasks has no entropy bound
            policy = replace(policy, accept=entropy_bound(bound))
        return replace(_denoising(p), policy=policy)

    return change


BASELINES: dict[str, Baseline] = {
    "copy": Baseline("copy the most similar text, no model", lambda engine: copied),
    "drafts": Baseline("drafts alone, ranked by the model", DraftsAlone),
    "denoiser": Baseline("denoiser alone, steps as shipped", _under(_denoising)),
    **{
        f"denoiser-{n}": Baseline(f"denoiser alone, {n} step{'s' * (n > 1)}", _under(_alone(n)))
        for n in (1, 2, 4, 8, 16)
    },
    "stock-16": Baseline("denoiser alone, 16 steps, stock entropy bound 0.1", _under(_alone(16, 0.1))),
    "fixed-8": Baseline(
        "denoiser alone, hole of 8 tokens",
        _under(lambda p: replace(_denoising(p), length=FixedLength(8), filler=None)),
    ),
    "lengths": Baseline(
        "denoiser alone, several lengths tried",
        _under(lambda p: replace(_denoising(p), length=CandidateLengths(), filler=None)),
    ),
    "engine": Baseline("as shipped, in this process and without a deadline", _under(lambda p: p)),
    "uncomposed": Baseline(
        "without the n-gram model (re-ranker as shipped)", _under(lambda p: replace(p, composed=0))
    ),
    "undrafted": Baseline(
        "without retrieved drafts (re-ranker as shipped)", _under(lambda p: replace(p, drafts=0))
    ),
    "undenoised": Baseline(
        "without the denoiser (re-ranker as shipped)", lambda engine: DraftsAlone(engine, others=True)
    ),
    "text-ranked": Baseline(
        "ranked without the network (re-ranker of other languages)",
        lambda engine: RankedByTexts.of(engine).run,
    ),
    "mended": Baseline("as shipped and two drafts mended", _under(lambda p: replace(p, mended=2))),
    "written": Baseline(
        "as shipped and four texts of the causal encoder", _under(lambda p: replace(p, written=4))
    ),
    "healed": Baseline("as shipped and token healing", _under(lambda p: replace(p, heal=True))),
    "causal": Baseline("causal encoder, greedy", Causal),
}
# What each part adds, on the shipped weights. No re-ranker is fitted for what is left: all but `text-ranked`
# have the shipped one, without the features that are missing.
ABLATION = ("uncomposed", "undrafted", "undenoised", "text-ranked", "copy")
FIM = "fim"  # not in the table: it needs a model of its own, see `training --objective fim`
FIM_LABEL = "autoregressive model trained to fill in the middle"
