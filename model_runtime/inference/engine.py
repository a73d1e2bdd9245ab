"""One fill, from request to text: lay out, prefill, denoise, rank, read the holes back.

Owns the order of these steps and the clock; the worker's scheduler drives it a step at a time. Longer than
most modules, because the order of a fill is easier to follow in one place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from model_runtime.diffusion.faults import Unfillable
from model_runtime.diffusion.hole_length import CandidateLengths
from model_runtime.diffusion.interface import (
    BranchScore,
    DenoiseError,
    Denoiser,
    Proposal,
    Row,
    Scoring,
    Writing,
    Written,
)
from model_runtime.diffusion.policy import Policy
from model_runtime.diffusion.results import Fill, Filling, Order, Step, result
from model_runtime.inference.free_answer import Answering
from model_runtime.prompting.chat_prompt import Chat
from model_runtime.prompting.layout import Layout, LayoutError, Tokens
from model_runtime.protocol import MOST_STEPS, Alternative, Calibrated, Choice, Infill
from model_runtime.retrieval import own_probability, proofread_scoring, reranker, scaling
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.ngram import NgramModel
from model_runtime.retrieval.reranker import Candidate
from model_runtime.retrieval.retriever import Draft

from . import candidates, scoring, step_trace, text_fill, warm_up
from .candidates import Offers
from .drafting import Drafting
from .halving import denoised
from .scoring import TokenScores

if TYPE_CHECKING:  # it needs torch
    from model_runtime.diffusion import masked

AFTER = 4  # suffix tokens that a candidate is judged by
LONGEST = 8  # tokens that the causal encoder writes, one pass each: few longer texts are right


class Engine:
    def __init__(
        self,
        name: str,
        denoiser: Denoiser,
        tokens: Tokens,
        calibration: reranker.Calibration = reranker.UNCALIBRATED,
        chat: Chat | None = None,
        scale: scaling.Scale | None = None,
    ) -> None:
        """`chat`: makes the prompts of a model that follows instructions; None for others. `scale`: corrects
        the probabilities of a model without a calibration, if it was fitted."""
        self.name = name
        self.device, self.dtype = denoiser.device, denoiser.dtype
        self.denoiser = denoiser
        self.tokens = tokens
        self.calibration = calibration
        self.chat = chat
        self.scale = scale
        self.on_scored: Callable[[list[Candidate], list[BranchScore]], None] | None = None  # calibration
        self.drafting = Drafting(tokens.profile)
        self._behind: list[int] | None = None  # a prompt whose end was on the canvas, so it is not cached yet

    def fill(self, request: Infill) -> Filling:
        """Raises Unfillable."""
        if request.next_edit:
            raise Unfillable("invalid", f"the model {self.name} is none for next edits")
        try:
            if request.instruction:
                return (yield from self._answer(request))
            if text_fill.serves(request, self.tokens.profile):
                return text_fill.fill(request, self.drafting, self.on_scored)
            return (yield from self._fill(request))
        except LayoutError as error:
            raise Unfillable("invalid", str(error)) from None
        except DenoiseError as error:
            raise Unfillable("failed", str(error)) from None

    def run(self, request: Infill) -> Fill:
        """A fill without interruption. Raises Unfillable."""
        return result(self.fill(request))

    def use(self, library: Library) -> None:
        """Compose drafts from these texts, too."""
        self.drafting.library = library

    @property
    def calibrated(self) -> Calibrated:
        if self.calibration is not reranker.UNCALIBRATED:
            return "model"
        return "none" if self.scale is None else "fitted"

    def servers(self) -> dict[str, str]:
        """No remote server is asked: this machine computes."""
        return {}

    def idle(self) -> None:
        """Use a pause: encode the prompt tokens that were on the last canvas, so that they are cached."""
        if self._behind is not None:
            prompt, self._behind = self._behind, None
            self.denoiser.prefill(prompt)

    def _answer(self, request: Infill) -> Filling:
        if self.chat is None:
            raise Unfillable(
                "instruction",
                f"the model {self.name} follows no instructions; infill.model can name one that does",
            )
        question = self.chat.ask(request, self.denoiser)
        answering = Answering(self.denoiser, self.tokens, self.chat.dialogue.ends, request.seed)
        return (yield from answering.run(question))

    def _fill(self, request: Infill) -> Filling:
        started = time.perf_counter()
        layout = self._ride(self.chat.lay(request) if self.chat else self.tokens.lay(request))
        drafts = candidates.fitting(self.tokens, layout, self.drafting.drafts(request))
        rows, sizes = candidates.rows(
            self.tokens, layout, self._to_start_from(request, drafts), request.candidates
        )
        texts = candidates.foreign(self.tokens, layout, drafts, request.original)
        rows += scoring.probes(self.denoiser, self.tokens, layout, texts, len(rows[0].ids))
        known: TokenScores = scoring.nothing_known
        self.denoiser.prefill(layout.prompt)
        prefilled = time.perf_counter()
        policy = _policy(self.tokens.profile.policy, request.steps)
        steps = denoised(self.denoiser, layout.prompt, rows, len(sizes), policy, request.seed)
        news, proposal, complete = next(steps), None, False
        ngrams = None if request.original else self.drafting.ngrams(request)  # while a server is at it
        composed = ngrams.compose()[: self.tokens.profile.composed] if ngrams else ()
        while True:
            proposal = news or proposal
            command = yield news and self._step(layout, rows, news)
            if news and news.step == 1:
                known = scoring.first_step(self.denoiser, self.tokens, layout, texts, len(sizes), news)
            if proposal:
                complete = proposal.finished or proposal.step == policy.max_steps
                if complete or command == "finish":
                    break
            news = steps.send(self._keep(news, sizes) if news else None)
        steps.close()
        offers = Offers(candidates.without_probes(proposal, len(sizes)), (), drafts, composed)
        if request.original:
            best, *others = self._proofread(layout, offers, request.original, known)
        else:
            if complete and request.lines == 1:
                offers = replace(offers, written=(yield from self.written(layout)))
            best, *others = self.judged(layout, offers, known, ngrams, request.lines)
            self.drafting.remember(request, best.texts)
        return Fill(
            texts=best.texts,
            confidence=best.confidence,
            steps=proposal.step,
            prefill_ms=(prefilled - started) * 1000,
            denoise_ms=(time.perf_counter() - prefilled) * 1000,
            complete=complete,
            alternatives=tuple(others[: request.alternatives]),
            sources=best.sources,
        )

    def _ride(self, layout: Layout) -> Layout:
        """Put a few new prompt tokens on the canvas: cheaper than encoding them at every keystroke."""
        self._behind = None
        missing = len(layout.prompt) - self.denoiser.cached(layout.prompt)
        if not 0 < missing <= self.tokens.profile.head - len(layout.head) or missing == len(layout.prompt):
            return layout
        self._behind = layout.prompt
        return layout.riding(missing)

    def _to_start_from(self, request: Infill, drafts: Sequence[Draft]) -> list[str]:
        """Texts that rows start from instead of noise, besides the rows that start from noise."""
        most = 0 if request.original else self.tokens.profile.mended
        ngrams = self.drafting.ngrams(request) if most else None
        return candidates.to_start_from(drafts, ngrams, most, text_fill.calibration())

    def _keep(self, proposal: Proposal, sizes: Sequence[int]) -> list[int] | None:
        """After the first step, the rows to go on with: neither probes nor unlikely lengths. None: all
        rows."""
        if proposal.step != 1:
            return None
        own = [row for row in proposal.rows if row < len(sizes)]
        if len(set(tried := [sizes[row] for row in own])) > 1:
            own = [
                own[i] for i in self.tokens.profile.length.keep(tried, proposal.read().logprobs[: len(own)])
            ]
        return own if len(own) < len(proposal.rows) else None

    def _step(self, layout: Layout, rows: Sequence[Row], proposal: Proposal) -> Step:
        return step_trace.watched(
            proposal.step,
            texts=partial(self._draft_texts, layout, proposal),
            tokens=partial(step_trace.pieces, self.tokens, rows[proposal.rows[0]], proposal),
        )

    def _draft_texts(self, layout: Layout, proposal: Proposal) -> tuple[str, ...]:
        return candidates.texts(self.tokens, layout, proposal.read().ids[0])

    def written(self, layout: Layout) -> Generator[None, Order, list[Written]]:
        """What the causal encoder writes for a single hole that it has both sides of in sight; "finish" ends
        it. A model that did not learn that order writes nothing."""
        profile, found = self.tokens.profile, list[Written]()
        if profile.written and profile.fim and layout.single and isinstance(self.denoiser, Writing):
            most = min(layout.slots[0], LONGEST) + 1
            question = self.tokens.question(layout)
            for latest in self.denoiser.write(*question, profile.fim.end, most, profile.written):
                found = latest
                if (yield) == "finish":
                    break
        return found

    def judged(
        self,
        layout: Layout,
        offers: Offers,
        known: TokenScores = scoring.nothing_known,
        ngrams: NgramModel | None = None,
        lines: int = 1,
    ) -> list[Alternative]:
        """All fills, best first. With several holes there is only one. `lines`: at most, of a fill."""
        if not layout.single:
            ids, logprobs = offers.guess.ids[0], offers.guess.logprobs[0]
            chance = candidates.joint(self.tokens, layout, ids, logprobs)
            return [Alternative(candidates.texts(self.tokens, layout, ids), chance, ("denoiser",))]
        found = candidates.gather(self.tokens, layout, offers)
        if ngrams:
            candidates.score_by_words(found, ngrams)
            if lines > 1 and self.calibrated == "model":  # which was fitted on holes of one line
                return text_fill.ranked(found, lines, self.on_scored)
            if isinstance(self.denoiser, Scoring) and self.calibrated == "model":
                found = candidates.likeliest(found, self.tokens.profile.scored, text_fill.calibration())
        scores = scoring.scores(self.denoiser, self.tokens, layout, found, AFTER, known)
        if self.on_scored:
            self.on_scored(found, scores)
        if self.calibrated == "model":
            return _alternatives(reranker.rank(found, scores, self.calibration))
        return _alternatives(own_probability.rank(found, scores, self.scale or scaling.UNSCALED))

    def _proofread(
        self, layout: Layout, offers: Offers, original: str, known: TokenScores
    ) -> list[Alternative]:
        """As `judged`, with the `original` text among the fills."""
        if not layout.single:
            raise LayoutError("what stands in several holes at once cannot be judged")
        found = candidates.gather(self.tokens, layout, offers)
        others = [each for each in found if each.text.strip() not in ("", original.strip())]
        written = Candidate(original, self.tokens.encode(original), sources={"original"})
        scores = scoring.scores(
            self.denoiser, self.tokens, layout, [written, *others], proofread_scoring.AFTER, known
        )
        causal = isinstance(self.denoiser, Scoring)
        return _alternatives(proofread_scoring.weigh(written, others, scores, causal=causal))


def _policy(own: Policy | masked.Policy, steps: int | None) -> Policy | masked.Policy:
    """The model's own policy, with the number of steps that was requested. Raises LayoutError."""
    if steps is None:
        return own
    if steps < 1:
        raise LayoutError("a fill takes at least one step")
    return replace(own, max_steps=min(steps, MOST_STEPS))


def _alternatives(ranked: Sequence[reranker.Ranked]) -> list[Alternative]:
    return [Alternative((each.text,), each.confidence, tuple(sorted(each.sources))) for each in ranked]


def with_bias(tokens: Tokens, bias: Callable[[int], float] | None) -> Tokens:
    """For a model that tries several lengths of a hole: compares them with what was measured of each."""
    if bias is None or not isinstance(tokens.profile.length, CandidateLengths):
        return tokens
    length = replace(tokens.profile.length, bias=bias)
    return Tokens(tokens.tokenizer, replace(tokens.profile, length=length))


def load_engine(choice: Choice, on_progress: Callable[[float], None] = lambda done: None) -> Engine:
    """An engine that computes on this machine, warmed up. `on_progress` gets the share done, in [0, 1].
    Raises `faults.ModelError`."""
    from model_runtime.loading import (
        infiller_model,
        length_bias,
        model,
    )  # only here: a remote denoiser loads no weights
    from model_runtime.network import compilation

    if infiller_model.suits(choice):
        return _load_infiller(choice, on_progress)
    loaded = model.load(choice, on_progress)
    bias = length_bias.load(choice)
    tokens = with_bias(loaded.prompting.tokens, bias)
    chat = loaded.prompting.chat and Chat(tokens, loaded.prompting.chat.dialogue)
    calibration, scale = reranker.load(loaded.folder), scaling.load(choice)
    engine = Engine(choice.model, loaded.denoiser, tokens, calibration, chat, scale)
    if loaded.denoiser.compiled:
        compilation.follow()
    on_warm = lambda done: on_progress(0.8 + 0.2 * done)  # noqa: E731
    window = loaded.denoiser.model.config.text_config.sliding_window
    warm_up.run(engine, window, on_warm, compiled=loaded.denoiser.compiled)
    loaded.denoiser.cache.clear()
    return engine


def _load_infiller(choice: Choice, on_progress: Callable[[float], None]) -> Engine:
    """As `load_engine`, of a masked-diffusion model."""
    from model_runtime.loading import infiller_model, length_bias

    loaded = infiller_model.load(choice, on_progress)
    tokens = with_bias(loaded.tokens, length_bias.load(choice))
    engine = Engine(choice.model, loaded.denoiser, tokens, scale=scaling.load(choice))
    warm_up.run(engine, 0, lambda done: on_progress(0.8 + 0.2 * done), compiled=False)
    loaded.denoiser.forget()
    return engine
