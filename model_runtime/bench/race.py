"""Runs the engine and `generate` side by side, place by place, so that a busy machine slows both alike.

A round is one place: the engine cold, then warm after each keystroke, then every `generate`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from model_runtime.bench.cases import BEST, COLD, FEWEST, KEYSTROKES, STOCK, WARM, Place, Setting, places
from model_runtime.bench.runs import Editor, Generate, Run
from model_runtime.diffusion.faults import Unfillable, one_line
from model_runtime.inference.engine import Engine

WARM_UP_STEPS = 4  # of `generate`: both kinds of step, with and without self-conditioning

Say = Callable[[str], None]


@dataclass
class Outcome:
    """All runs at one setting: `asked` for, and `used`, which is cut to what the model can do."""

    asked: Setting
    used: Setting
    runs: dict[str, list[Run]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Race:
    def __init__(self, engine: Engine, stock: Any, say: Say, compiled: bool) -> None:
        """`stock`: the engine's model as transformers' class; `compiled`: also `generate` at its best."""
        self._editor = Editor(engine)
        self._engine = engine
        self._stock = stock
        self._say = say
        self._generates = {STOCK: Generate(engine, stock)}
        self._steps = engine.tokens.profile.policy.max_steps
        self.best = "not measured (--quick)"
        if compiled:
            self.best = "static cache, torch.compile"
            self._take(best=True, cache_implementation="static")
        else:
            self._take(best=False)

    def _take(self, *, best: bool, **options: Any) -> None:
        """Have `generate` measured with these options; the `best` ones with its own stop rule, too."""
        if best:
            self._generates[BEST] = Generate(self._engine, self._stock, **options)
        few = {**options, "max_denoising_steps": self._steps}
        self._generates[FEWEST] = Generate(self._engine, self._stock, **few)

    def run(self, setting: Setting, rounds: int, deadline: float | None) -> Outcome:
        """At least one round; no further one that would probably end after `deadline` (monotonic)."""
        used = replace(setting, hole=min(setting.hole, self._engine.tokens.profile.slot))
        outcome = Outcome(setting, used)
        found = list(places(self._engine.tokens, used, rounds))
        try:
            self._warm_up(found[0], outcome)
            longest = 0.0
            for number, place in enumerate(found):
                started = time.monotonic()
                if number and deadline is not None and started + longest > deadline:
                    outcome.notes.append(f"stopped after {number} of {rounds} rounds: out of time")
                    break
                self._round(place, number, outcome)
                longest = max(longest, time.monotonic() - started)
        except Unfillable as error:
            outcome.notes.append(f"the engine refused: {error}")
        return outcome

    def _warm_up(self, place: Place, outcome: Outcome) -> None:
        """Untimed. Also finds out which options of `generate` work, and notes what is cut."""
        self._editor.open()
        for keystroke in range(2):
            self._editor.ask(place, keystroke, outcome.used)
        prompt = self._generates[STOCK].prompt(place, 0)
        outcome.notes += self._cuts(place, outcome, len(prompt))
        self._generates[STOCK].ask(prompt, outcome.used, 0, max_denoising_steps=WARM_UP_STEPS)
        if BEST in self._generates:
            self._compile(prompt, outcome)

    def _compile(self, prompt: list[int], outcome: Outcome) -> None:
        self._say("  compiling generate")
        try:
            for _ in range(2):
                self._generates[BEST].ask(prompt, outcome.used, 0, max_denoising_steps=WARM_UP_STEPS)
        except Exception as error:  # a compiler may fail in any way
            self.best = f"static cache; torch.compile failed: {one_line(error)}"
            self._say(f"  {self.best}")
            self._take(best=True, cache_implementation="static", disable_compile=True)

    def _round(self, place: Place, seed: int, outcome: Outcome) -> None:
        runs = outcome.runs
        self._editor.open()
        runs.setdefault(COLD, []).append(self._editor.ask(place, 0, outcome.used))
        for keystroke in range(1, KEYSTROKES + 1):
            runs.setdefault(WARM, []).append(self._editor.ask(place, keystroke, outcome.used))
        for name, generate in self._generates.items():
            prompt = generate.prompt(place, 1)
            runs.setdefault(name, []).append(generate.ask(prompt, outcome.used, seed))

    def _cuts(self, place: Place, outcome: Outcome, stock_prompt: int) -> list[str]:
        notes = []
        asked, used = outcome.asked, outcome.used
        if used.hole < asked.hole:
            notes.append(f"hole of {asked.hole} cut to {used.hole} tokens, the most of this model (for all)")
        own = len(self._engine.tokens.lay(self._editor.request(place, 0, used)).prompt)
        if own < 0.9 * stock_prompt:
            notes.append(f"the engine cuts its prefix to {own} tokens; generate reads {stock_prompt}")
        return notes
