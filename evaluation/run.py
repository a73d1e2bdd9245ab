"""The loop: every place to every contender, in turns, so that whatever else the machine does hits all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation import sandbox, scores
from evaluation.asking import Answer, ask
from evaluation.contenders import SHIPPED, Contender
from evaluation.places import Place
from evaluation.progress import Progress
from evaluation.scores import Outcome
from lsp_server.config.settings import Settings


@dataclass
class Findings:
    """Filled place by place, so that an interrupted run has something to tell."""

    outcomes: list[Outcome] = field(default_factory=list)
    silence: dict[tuple[str, bool], list[Answer]] = field(default_factory=dict)  # (category, wanted)

    def rows(self, threshold: float) -> list[dict[str, Any]]:
        groups: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault((outcome.kind, outcome.contender), []).append(outcome)
        return [scores.summary(group, threshold) for group in groups.values()]

    def quiet(self, threshold: float) -> list[dict[str, Any]]:
        rows = [scores.quiet(name, wanted, a, threshold) for (name, wanted), a in self.silence.items()]
        unwanted = [a for (_, wanted), answers in self.silence.items() if not wanted for a in answers]
        return rows + ([scores.quiet("all of these", False, unwanted, threshold)] if unwanted else [])

    def claims(self) -> list[tuple[float, bool]]:
        """(confidence, whether exactly right) of what the shipped product offered on our own holes."""
        return [
            (o.answer.confidence, o.exact)
            for o in self.outcomes
            if o.contender == SHIPPED and o.answer.asked and not o.answer.reason and o.passed is None
        ]


async def measure(
    places: Sequence[Place], contenders: dict[str, Contender], settings: Settings, findings: Findings
) -> None:
    """Quiet places go to what ships alone, if it takes part. Cancelling ends it between two answers."""
    verdicts: dict[str, bool] = {}

    def passes(program: str) -> bool:
        if program not in verdicts:
            verdicts[program] = sandbox.run(program).passed
        return verdicts[program]

    asked = [place for place in places if place.middle is not None or SHIPPED in contenders]
    progress = Progress(len(asked))
    for place in asked:
        if place.middle is None:
            answer = await ask(place, contenders[SHIPPED], settings)
            findings.silence.setdefault((place.kind, place.wanted), []).append(answer)
        else:
            for name, contender in contenders.items():
                answer = await ask(place, contender, settings)
                outcome = await asyncio.to_thread(scores.judge, place, name, answer, passes)
                findings.outcomes.append(outcome)
        progress.step(place.kind)
    progress.end()
