"""`infill-ls eval --calibrate-lengths`: how sure a model is of each length of a hole, measured at many places
and kept in the user's cache folder (`model_runtime.loading.length_bias`).

The model is loaded in this process; it is asked what the editor would ask it, and takes one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluation import progress
from evaluation.answers import ask
from evaluation.calibrate import CannotCalibrate
from evaluation.places import Place
from lsp_server.config.settings import Settings
from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.diffusion.interface import DenoiseError
from model_runtime.inference import length_calibration
from model_runtime.inference.engine import load_engine
from model_runtime.loading import length_bias
from model_runtime.protocol import Draft, Infill, Refused, Texts


class Recorder:
    """A contender that writes nothing and notes what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Infill] = []

    async def prepare(self, request: Infill) -> None: ...

    async def fill(self, request: Infill, on_draft: Callable[[Draft], None] | None = None) -> Refused:
        self.requests.append(request)
        return Refused(request.id, "failed", "")

    def tell(self, texts: Texts) -> None: ...

    async def indexed(self) -> None: ...


async def run(settings: Settings, places: Sequence[Place]) -> str:
    """What was done, in one line. Raises CannotCalibrate."""
    if settings.choice.backend != "local":
        raise CannotCalibrate("lengths are measured with a model on this machine; leave out --backend")
    recorder = Recorder()
    for place in places:
        if place.middle is not None:
            await ask(place, recorder, settings)
    seen: dict[int, list[float]] = {}
    count = 0
    try:
        engine = load_engine(settings.choice)
        with progress.bar(len(recorder.requests)) as bar:
            for told in length_calibration.first_steps(engine, recorder.requests):
                count += 1
                for size, nats in told.items():
                    seen.setdefault(size, []).append(nats)
                bar.update()
    except (ModelError, Unfillable, DenoiseError) as error:
        raise CannotCalibrate(str(error)) from None
    if count < length_bias.FEWEST:
        raise CannotCalibrate(
            f"{count} holes could be asked about, at least {length_bias.FEWEST} are needed to compare lengths"
        )
    found = length_bias.measured(seen)
    try:
        file = length_bias.save(settings.choice, found)
    except OSError as error:
        raise CannotCalibrate(f"the calibration cannot be kept: {error.strerror or error}") from None
    said = ", ".join(f"{n}: {nats:.2f}" for n, nats in zip(found.lengths, found.nats, strict=True))
    return f"lengths (nats a token) at {count} places: {said}; workers that start from now on read {file}"
