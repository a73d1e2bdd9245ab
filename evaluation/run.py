"""The loop: every place goes to every contender in turn, so that a busy machine slows all of them alike."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation import progress, sandbox, scores
from evaluation.answers import Answer, ask
from evaluation.contenders import SHIPPED, Contender
from evaluation.open_project import Desk
from evaluation.places import Place
from evaluation.scores import Outcome
from lsp_server.config.settings import Settings


@dataclass
class Findings:
    """What was measured. Grows place by place, so that an interrupted run can report."""

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
            if o.contender == SHIPPED and o.answer.allowed and not o.answer.reason and o.passed is None
        ]


async def measure(
    places: Sequence[Place], contenders: dict[str, Contender], settings: Settings, findings: Findings
) -> None:
    """Add to `findings`, file by file where places are in projects. Places without an expected text go only
    to what ships, if it takes part. Raises DataError where a project cannot be read.

    Cancelling ends it between two answers."""
    verdicts: dict[str, bool] = {}

    def passes(program: str) -> bool:
        if program not in verdicts:
            verdicts[program] = sandbox.run(program).passed
        return verdicts[program]

    measured = [place for place in places if place.middle is not None or SHIPPED in contenders]
    measured.sort(key=lambda place: (str(place.project or ""), place.path))  # stable
    with progress.bar(len(measured)) as bar:
        async with Desk(contenders, settings) as desk:
            for place in measured:
                project = await desk.open(place)
                if place.middle is None:
                    answer = await ask(place, contenders[SHIPPED], settings, project)
                    findings.silence.setdefault((place.kind, place.wanted), []).append(answer)
                else:
                    for name, contender in contenders.items():
                        answer = await ask(place, contender, settings, project)
                        outcome = await asyncio.to_thread(scores.judge, place, name, answer, passes)
                        findings.outcomes.append(outcome)
                bar.set_description_str(place.kind, refresh=False)
                bar.update()
