"""One fill, from request to text: lay out, prefill, denoise, rank, read the holes back.

Owns the order of these steps and the clock; the worker's scheduler drives it a step at a time.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal

from model_runtime import model, profiles, rank
from model_runtime.denoiser import Branch, BranchScore, DenoiseError, Denoiser, OutOfMemory, Proposal, Row
from model_runtime.drafts import Draft, retrieve
from model_runtime.faults import Unfillable
from model_runtime.protocol import Fixed, Infill
from model_runtime.rank import Candidate, Ranked
from model_runtime.tokens import Layout, LayoutError, Tokens

AFTER = 4  # suffix tokens that a candidate is judged by
REMEMBERED = 32  # documents whose last fill may start the next one


@dataclass(frozen=True)
class Step:
    """After one denoise step; `texts` decodes the draft only when somebody wants it."""

    step: int
    texts: Callable[[], tuple[str, ...]]


@dataclass(frozen=True)
class Fill:
    texts: tuple[str, ...]
    confidence: float  # in [0, 1]
    steps: int
    prefill_ms: float
    denoise_ms: float
    complete: bool
    alternatives: tuple[tuple[str, ...], ...] = ()
    sources: frozenset[str] = frozenset()  # "denoiser", "draft", "previous"


class Engine:
    def __init__(
        self, name: str, denoiser: Denoiser, tokens: Tokens, calibration: rank.Calibration = rank.UNCALIBRATED
    ) -> None:
        self.name = name
        self.device = denoiser.device
        self.denoiser = denoiser
        self.tokens = tokens
        self.calibration = calibration
        self.on_scored: Callable[[list[Candidate], list[BranchScore]], None] | None = None  # calibration
        self._previous: OrderedDict[str, tuple[str, str]] = OrderedDict()  # document -> (before, text)
        self._behind: list[int] | None = None  # a prompt whose tail rode on the canvas

    def fill(self, request: Infill) -> Generator[Step, Literal["finish"] | None, Fill]:
        """Yields after every step; sending "finish" returns the best so far, closing abandons it.

        Raises Unfillable."""
        try:
            return (yield from self._fill(request))
        except LayoutError as error:
            raise Unfillable("invalid", str(error)) from None
        except DenoiseError as error:
            raise Unfillable("failed", str(error)) from None

    def idle(self) -> None:
        """Use a pause: encode what rode on the last canvas, so that the next fill finds it cached."""
        if self._behind is not None:
            prompt, self._behind = self._behind, None
            self.denoiser.prefill(prompt)

    def _fill(self, request: Infill) -> Generator[Step, Literal["finish"] | None, Fill]:
        started = time.perf_counter()
        layout = self._ride(self.tokens.lay(request))
        drafts = self._drafts(request, layout)
        rows, sizes = self._rows(request, layout, drafts)
        self.denoiser.prefill(layout.prompt)
        prefilled = time.perf_counter()
        policy = self.tokens.profile.policy
        steps = self._denoised(layout.prompt, rows, request.seed)
        proposal = next(steps)
        complete = False
        while True:
            command = yield Step(proposal.step, lambda p=proposal: self._texts(layout, p, 0))
            complete = proposal.finished or proposal.step == policy.max_steps
            if complete or command == "finish":
                break
            proposal = steps.send(self._keep(proposal, sizes))
        steps.close()
        if layout.single:
            ranked = self._ranked(layout, proposal, drafts)
        else:
            ranked = [Ranked("", self._joint(layout, proposal, 0), frozenset({"denoiser"}))]
        texts = [(r.text,) for r in ranked] if layout.single else [self._texts(layout, proposal, 0)]
        self._remember(request, texts[0])
        return Fill(
            texts[0],
            ranked[0].confidence,
            proposal.step,
            (prefilled - started) * 1000,
            (time.perf_counter() - prefilled) * 1000,
            complete,
            tuple(texts[1 : request.candidates]),
            ranked[0].sources,
        )

    def _denoised(
        self, prompt: list[int], rows: Sequence[Row], seed: int
    ) -> Generator[Proposal, Sequence[int] | None, None]:
        """The denoiser's proposals; with half of the rows, from the start, when it runs out of memory."""
        while True:
            try:
                return (yield from self.denoiser.denoise(prompt, rows, self.tokens.profile.policy, seed))
            except OutOfMemory:
                if len(rows) == 1:
                    raise
                rows = rows[: len(rows) // 2]

    # Before the denoiser

    def _ride(self, layout: Layout) -> Layout:
        """A few new prompt tokens ride on the canvas: cheaper than encoding them at every keystroke."""
        self._behind = None
        missing = len(layout.prompt) - self.denoiser.cached(layout.prompt)
        if not 0 < missing <= self.tokens.profile.head - len(layout.head) or missing == len(layout.prompt):
            return layout
        self._behind = layout.prompt
        return layout.riding(missing)

    def _drafts(self, request: Infill, layout: Layout) -> list[Draft]:
        if not layout.single:
            return []
        before, after = _around(request)
        found = retrieve(before, after)[: self.tokens.profile.drafts]
        earlier = self._previous.get(request.document)
        if earlier and before.startswith(earlier[0]):
            typed = before[len(earlier[0]) :]
            if earlier[1].startswith(typed) and len(earlier[1]) > len(typed):
                found.insert(0, Draft(earlier[1][len(typed) :], len(typed), False, 0))
        return found

    def _rows(self, request: Infill, layout: Layout, drafts: Sequence[Draft]) -> tuple[list[Row], list[int]]:
        """Noise rows, one per length and candidate, then drafts to be mended; and the rows' sizes."""
        profile = self.tokens.profile
        starts = self.tokens.starts(layout.typed) if layout.typed else None
        if not layout.single:
            contents: list[list[Sequence[int] | int]] = [[profile.length.sizes(n)[-1] for n in layout.slots]]
        else:
            sizes = profile.length.sizes(layout.slots[0])
            contents = [[n] for n in sizes for _ in range(max(1, request.candidates))]
            for draft in drafts[: profile.mended]:
                ids = self.tokens.encode(layout.typed + draft.text)
                if len(ids) <= layout.slots[0]:
                    contents.append([profile.length.filled(ids, layout.slots[0])])
        taken = [sum(c if isinstance(c, int) else len(c) for c in content) for content in contents]
        width = max(layout.fixed_width([n]) for n in taken)
        return [layout.row(content, width, starts) for content in contents], taken

    def _keep(self, proposal: Proposal, sizes: Sequence[int]) -> list[int] | None:
        """After the first step, drop the lengths that do not look right."""
        if proposal.step != 1 or len(proposal.rows) == 1:
            return None
        kept = self.tokens.profile.length.keep([sizes[row] for row in proposal.rows], proposal.logprobs)
        return [proposal.rows[i] for i in kept]

    # After the denoiser

    def _slices(self, layout: Layout, ids: Sequence[int]) -> list[slice]:
        """Where each slot's ids are among a row's hole ids."""
        if layout.single:
            return [slice(0, len(ids))]
        sizes = [self.tokens.profile.length.sizes(n)[-1] for n in layout.slots]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def _texts(self, layout: Layout, proposal: Proposal, row: int) -> tuple[str, ...]:
        ids = proposal.ids[row]
        end = self.tokens.profile.length.end
        texts = [self.tokens.decode(ids[at][: end(ids[at])[0]]) for at in self._slices(layout, ids)]
        return (texts[0].removeprefix(layout.typed), *texts[1:])

    def _joint(self, layout: Layout, proposal: Proposal, row: int) -> float:
        """Probability of a row's texts and their ends, as if positions were independent."""
        total = 0.0
        for at in self._slices(layout, proposal.ids[row]):
            n, ended = self.tokens.profile.length.end(proposal.ids[row][at])
            total += sum(proposal.logprobs[row][at][: n + ended])
        return min(1.0, math.exp(total))

    def _ranked(self, layout: Layout, proposal: Proposal, drafts: Sequence[Draft]) -> list[Ranked]:
        """All that was found for a single hole, judged by one measure; never empty."""
        candidates = self._candidates(layout, proposal, drafts)
        after = layout.suffix[:AFTER]
        scores = self.denoiser.score(layout.prompt, layout.head, [Branch(c.ids, after) for c in candidates])
        if self.on_scored:
            self.on_scored(candidates, scores)
        return rank.rank(candidates, scores, self.calibration)

    def _candidates(self, layout: Layout, proposal: Proposal, drafts: Sequence[Draft]) -> list[Candidate]:
        found: dict[str, Candidate] = {}
        for row, ids in enumerate(proposal.ids):
            n, ended = self.tokens.profile.length.end(ids)
            whole = self.tokens.decode(ids[:n])
            if whole.startswith(layout.typed):
                text = whole.removeprefix(layout.typed)
                joint = sum(proposal.logprobs[row][: n + ended])
                fresh = Candidate(text, self.tokens.encode(whole), ended, joint)
                known = found.setdefault(text.rstrip(), fresh)
                known.votes += known is not fresh
                known.sources.add("denoiser")
        for draft in drafts:
            ids = self.tokens.encode(layout.typed + draft.text)
            if len(ids) <= layout.slots[0]:
                fresh = Candidate(draft.text, ids, draft=draft)
                known = found.setdefault(draft.text.rstrip(), fresh)
                known.votes += known is not fresh
                known.draft = known.draft or draft
                known.sources.add("draft")
        return list(found.values()) or [Candidate("", [])]

    def _remember(self, request: Infill, texts: Sequence[str]) -> None:
        if len(texts) == 1:
            self._previous[request.document] = (_around(request)[0], texts[0])
            self._previous.move_to_end(request.document)
            while len(self._previous) > REMEMBERED:
                self._previous.popitem(last=False)


def _around(request: Infill) -> tuple[str, str]:
    """Text before the first hole and after the last."""
    fixed = [i for i, piece in enumerate(request.canvas) if not isinstance(piece, Fixed)]
    head = "".join(p.text for p in request.canvas[: fixed[0]] if isinstance(p, Fixed))
    tail = "".join(p.text for p in request.canvas[fixed[-1] + 1 :] if isinstance(p, Fixed))
    return request.prefix + head, tail


def load_engine(name: str, device: str, on_progress: Callable[[float], None]) -> Engine:
    """Raises `faults.ModelError`."""
    folder = model.model_folder(name)
    profile = profiles.EMBEDDED
    tokens = Tokens.load(folder, profile)
    on_progress(0.1)
    denoiser = model.load(folder, device, profile)
    on_progress(1.0)
    return Engine(name, denoiser, tokens, rank.load(folder))
