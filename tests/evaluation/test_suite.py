"""The comparison with a published figure: what is asked, what counts, what is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from evaluation import sandbox, suite
from evaluation.places import Place
from evaluation.scores import share
from evaluation.suite import CannotCompare
from model_runtime.diffusion.faults import ModelError, Unfillable
from model_runtime.prompting.infillers import DREAMON
from model_runtime.protocol import Choice, Fixed, Infill, Slot

PLACE = Place(
    suite.KIND, "x/1", "def f(a):\n    b = ", "\n    return b\n", "a + 1", test="assert f(1) == 2\n"
)


def ran(program: str) -> sandbox.Verdict:
    """In this process: the sandbox has its own tests."""
    try:
        exec(program, {})
    except Exception as error:
        return sandbox.Verdict(False, str(error))
    return sandbox.Verdict(True, "passed")


def test_what_is_asked() -> None:
    asked = suite.request(PLACE)
    assert (asked.prefix, asked.canvas) == (
        "def f(a):\n",
        (Fixed("    b = "), Slot(suite.MOST), Fixed("\n    return b\n")),
    )


def test_answers_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three are right; the engine has exact passes and no drafts."""
    answers = iter(["a + 1", "1 + a", None])
    chosen: list[Any] = []
    monkeypatch.setattr(suite.sandbox, "run", ran)

    def answer(request: Infill) -> Any:
        if (text := next(answers)) is None:
            raise Unfillable("invalid", "too long")
        return SimpleNamespace(texts=(text,))

    monkeypatch.setattr(suite, "load_engine", chosen.append)
    monkeypatch.setattr(suite, "changed", lambda engine, change: SimpleNamespace(run=answer))
    said = suite.run(Choice(model=DREAMON.id), [PLACE, PLACE, PLACE])
    assert chosen == [Choice(model=DREAMON.id, passes="exact")]
    assert "66.7% of 3 passed" in said
    assert "published with the length of its own: 90.8%, within noise of ours" in said


def test_whether_it_is_within_noise() -> None:
    near, far = (suite.report(DREAMON.id, share(hits, 1033)) for hits in (930, 600))
    assert "90.8%, within noise" in near
    assert "90.8%, not within noise" in far
    assert "nothing is known" in suite.report("acme/other", share(1, 2))


def test_what_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotCompare, match="these files hold none of it"):
        suite.run(Choice(), [])

    def absent(choice: Choice) -> Any:
        raise ModelError("not whole on this machine")

    monkeypatch.setattr(suite, "load_engine", absent)
    with pytest.raises(CannotCompare, match="not whole"):
        suite.run(Choice(), [PLACE])
