"""`infill-ls eval --suite humaneval-infilling`: a model's own figure on HumanEval-Infilling's single lines,
beside the one that its authors published. A check of sampler, ids and weights, not of the product: the
denoiser alone, exact passes, the whole text on both sides as far as the model's window goes, no drafts, no
rules.

The data is OpenAI's `HumanEval-SingleLineInfilling.jsonl.gz`, which the user names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as replace_fields

from evaluation import progress, sandbox
from evaluation.places import Place
from evaluation.scores import share
from model_runtime.baselines.registry import changed
from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.inference.engine import load_engine
from model_runtime.prompting import infillers
from model_runtime.protocol import Choice, Fixed, Infill, Slot

SUITE, KIND = "humaneval-infilling", "HumanEval single-line"
MOST = 64  # tokens of an answer, as the authors allow


class CannotCompare(Exception):
    """The message is one line for a person."""


def run(choice: Choice, places: Sequence[Place]) -> str:
    """The comparison, in a few lines. Raises CannotCompare."""
    asked = [place for place in places if place.kind == KIND]
    if not asked:
        raise CannotCompare(
            "name OpenAI's HumanEval-SingleLineInfilling.jsonl.gz; these files hold none of it"
        )
    try:
        loaded = load_engine(replace_fields(choice, passes="exact"))
    except (ModelError, Unfillable) as error:
        raise CannotCompare(str(error)) from None
    alone = changed(loaded, lambda profile: replace(profile, drafts=0, composed=0, mended=0))
    with progress.bar(len(asked)) as bar:
        passed = list(_passed(alone, asked, bar.update))
    return report(choice.model, share(sum(passed), len(passed)))


def request(place: Place) -> Infill:
    """Whole lines are the prefix, the start of the hole's line is on the canvas."""
    lines, newline, head = place.before.rpartition("\n")
    known = (Fixed(head),) if head else ()
    canvas = (*known, Slot(MOST), Fixed(place.after))
    return Infill(0, "", lines + newline, canvas, language="python", lines=1)


def report(model: str, ours: dict[str, Any]) -> str:
    """`ours`: a share with its interval. Published figures outside of it differ by more than chance does."""
    interval = f"{ours['low']:.1%} to {ours['high']:.1%}"
    said = [f"{model}, single-line: {ours['share']:.1%} of {ours['of']} passed ({interval})"]
    record = next((each for each in infillers.KNOWN if each.id == model), None)
    for how, per_cent in record.published.items() if record else ():
        near = ours["low"] <= per_cent / 100 <= ours["high"]
        verdict = "within noise of ours" if near else "not within noise of ours"
        said.append(f"published with the {how}: {per_cent:.1f}%, {verdict}")
    if len(said) == 1:
        said.append("nothing is known here of a published figure for it")
    return "\n".join(said)


def _passed(engine: Any, places: Sequence[Place], done: Callable[[], object]) -> Iterator[bool]:
    for place in places:
        try:
            text = engine.run(request(place)).texts[0]
        except Unfillable:  # too long for its window: a failure, as in any other evaluation
            text = ""
        yield sandbox.run(f"{place.before}{text}{place.after}\n{place.test}").passed
        done()
