"""The denoiser of masked-diffusion models: on a network that counts, and on a random one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model_runtime.diffusion import masked, masked_rules
from model_runtime.diffusion.interface import DenoiseError, Denoiser, Guess, PseudoScoring, Row
from model_runtime.local.masked_denoiser import MaskedDenoiser
from model_runtime.prompting import infillers
from tests.model_runtime.local import toy_counter
from tests.model_runtime.local.toy_counter import DELETE, EXPAND, MASK, PAD, number


def counter(*, shifted: bool = True, exact: bool = False) -> MaskedDenoiser:
    record = toy_counter.record(shifted=shifted)
    profile = infillers.profile(record, window=64, special=frozenset({PAD, EXPAND, DELETE}))
    return MaskedDenoiser(toy_counter.model(), record, profile, exact=exact)


def row(*parts: list[int] | int, **more: object) -> Row:
    """Known numbers as lists, holes as their sizes."""
    ids, pinned = [], []
    for part in parts:
        known = isinstance(part, list)
        ids += [number(n) for n in part] if isinstance(part, list) else [PAD] * part
        pinned += [known] * (len(part) if isinstance(part, list) else part)
    return Row([*ids, PAD], [*pinned, True], **more)  # type: ignore[arg-type]


def last(denoiser: Denoiser, rows: list[Row], policy: masked.Policy | None = None) -> Guess:
    how = policy or toy_counter.record().policy()
    *_, final = denoiser.denoise([number(0)], rows, how, 0)
    assert final
    assert final.finished
    return final.read()


@pytest.mark.parametrize("exact", [False, True])
def test_it_writes_what_it_learnt(exact: bool) -> None:
    """Two holes on one canvas, and a second row with another length."""
    denoiser = counter(exact=exact)
    found = last(denoiser, [row([1, 2], 3, [6, 7], 2, [10])])
    assert found.ids == [[number(n) for n in (3, 4, 5, 8, 9)]]
    several = last(denoiser, [row([1, 2], 3, [6, 7]), row([1, 2], 2, [5, 6])])
    assert several.ids == [[number(n) for n in (3, 4, 5)], [number(n) for n in (3, 4)]]


def test_a_model_that_is_read_one_off_is_noticed() -> None:
    wrong = last(counter(shifted=False), [row([1, 2], 3, [6, 7])])
    assert wrong.ids != [[number(n) for n in (3, 4, 5)]]


def test_a_hole_at_the_very_start() -> None:
    """There is no position before it: the first output is read, as the authors' code does."""
    denoiser = counter()
    policy = toy_counter.record().policy()
    *_, final = denoiser.denoise([], [row(1, [5, 6, 7])], policy, 0)
    assert len(final.read().ids[0]) == 1


def test_texts_are_scored_by_what_it_would_write() -> None:
    denoiser = counter()
    assert isinstance(denoiser, PseudoScoring)
    rows = [row([1, 2], 3, [6, 7])] * 2
    texts = [[number(n) for n in said] for said in ((3, 4, 5), (3, 9, 5))]
    rows = [
        replace(row([1, 2], 3, [6, 7]), ids=[number(1), number(2), *t, number(6), number(7)]) for t in texts
    ]
    rows = [replace(each, pinned=[True, True, False, False, False, True, True]) for each in rows]
    right, wrong = denoiser.pseudo_scores([number(0)], rows)
    assert min(right) > -0.5
    assert wrong[1] < -3
    assert sum(wrong) < sum(right) - 3


def test_a_draft_keeps_what_is_not_doubted() -> None:
    """What is doubted in a draft is written anew; one that is right takes no pass but that which judges
    it."""
    ids = [number(n) for n in (1, 2, 3, 9, 5, 6, 7)]
    draft = Row(ids, [True, True, False, False, False, True, True], draft=True)
    policy = toy_counter.record().policy()
    *_, final = counter().denoise([number(0)], [draft], policy, 0)
    assert final.read().ids == [[number(n) for n in (3, 4, 5)]]
    right = replace(draft, ids=[number(n) for n in range(1, 8)])
    denoiser = counter(exact=True)
    (only,) = denoiser.denoise([number(0)], [right], policy, 0)
    assert (only.finished, only.read().ids) == (True, [[number(n) for n in (3, 4, 5)]])
    assert denoiser.passes.tokens == 2 * 8


def test_the_first_token_may_be_limited() -> None:
    found = last(counter(), [row([1, 2], 3, [6, 7], starts=frozenset({number(8)}))])
    assert found.ids[0][0] == number(8)


def test_rows_can_be_left_out_and_steps_be_watched() -> None:
    policy = replace(toy_counter.record().policy(), gap=None)
    running = counter().denoise([number(0)], [row([1, 2], 3, [6, 7]), row([1, 2], 2, [5, 6])], policy, 0)
    first = next(running)
    assert first.seen
    seen = first.seen()
    assert seen.before == [MASK] * 3
    assert len(seen.accepted) == 3
    second = running.send([1])
    assert second.rows == (1,)
    assert len(second.read().ids[0]) == 2
    running.close()


def test_a_length_of_its_own() -> None:
    """A hole is as long as the row gives it room for, less its end, and an answer ends with the filler."""
    record = replace(
        toy_counter.record(),
        marks=masked.Marks(MASK, EXPAND, DELETE),
        rule=masked_rules.Expanding(),
    )
    profile = infillers.profile(record, window=64, special=frozenset({PAD}))
    model = toy_counter.model()
    policy = replace(record.policy(), start=3)
    *_, final = MaskedDenoiser(model, record, profile).denoise(
        [number(0)], [row([1, 2], 6, [6, 7])], policy, 0
    )
    guess = final.read()
    assert guess.ids == [[*(number(n) for n in (3, 4, 5)), DELETE, DELETE, DELETE]]
    assert guess.logprobs[0][3:] == [0.0, 0.0, 0.0]


def test_values_that_are_not_numbers_are_noticed() -> None:
    denoiser = counter()
    broken = torch.nn.Parameter(torch.full_like(denoiser.model.model.norm.weight, float("nan")))
    whole = denoiser.model.model.norm.weight
    denoiser.model.model.norm.weight = broken
    try:
        with pytest.raises(DenoiseError, match="not numbers"):
            last(denoiser, [row([1, 2], 3, [6, 7])])
    finally:
        denoiser.model.model.norm.weight = whole
