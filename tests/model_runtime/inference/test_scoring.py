"""Texts judged by what a denoiser says of its positions, where there is no causal encoder to ask."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from model_runtime.diffusion.interface import Branch, Guess, Proposal, Scoring
from model_runtime.inference import scoring
from model_runtime.inference.engine import Engine
from model_runtime.prompting import profiles
from model_runtime.prompting.profiles import EMBEDDED, with_fim
from model_runtime.protocol import Fixed, Infill, Slot, Texts
from model_runtime.retrieval.library import Library
from model_runtime.retrieval.reranker import Candidate
from model_runtime.training.served import AsServed
from tests.support import tiny

HOLE = Infill(id=0, document="", prefix="a = 1\n", canvas=(Fixed("b = "), Slot(8), Fixed("\n")))
TWO = Infill(id=0, document="", prefix="", canvas=(Slot(4), Fixed(" = "), Slot(4), Fixed("\n")))
NO_FILLER = dataclasses.replace(EMBEDDED, filler=None)


def served() -> AsServed:
    return AsServed(tiny.denoiser())


def said(*rows: list[dict[int, float]]) -> Proposal:
    guess = Guess([[0] * len(row) for row in rows], [[0.0] * len(row) for row in rows], list(rows))
    return Proposal(1, tuple(range(len(rows))), False, lambda: guess)


def test_who_can_be_asked() -> None:
    assert isinstance(tiny.denoiser(), Scoring)
    assert not isinstance(served(), Scoring)
    tokens = tiny.tokens()
    layout = tokens.lay(HOLE)
    local = tiny.denoiser()
    assert scoring.probes(local, tokens, layout, [(300,)], 40) == []
    known = scoring.first_step(local, tokens, layout, [(300,)], 1, said([{300: -1.0}]))
    assert known((300,)) is None
    (score,) = scoring.scores(local, tokens, layout, [Candidate("x", [300, 301])], 4, known)
    assert (len(score.ids), len(score.after)) == (2, min(4, len(layout.suffix)))


def test_an_encoder_that_learnt_it_has_what_follows_in_sight() -> None:
    tokens, local = tiny.tokens(), tiny.denoiser()
    layout = tokens.lay(HOLE)
    tokens.profile = with_fim(EMBEDDED, 5, 7)
    found = [Candidate("x", [300, 301]), Candidate("y", [302])]
    asked = scoring.scores(local, tokens, layout, found, 4, scoring.nothing_known)
    cut = max(1, len(layout.prompt) - profiles.NEAR)
    prompt, question = layout.prompt[:cut], [5, *layout.suffix, 7, *layout.prompt[cut:], *layout.head]
    assert len(layout.suffix) < profiles.FOLLOWING
    assert asked == local.score(prompt, question, [Branch([300, 301], [1]), Branch([302], [1])])
    assert [len(score.after) for score in asked] == [1, 1], "how likely the text ends there"
    _, long = tokens.profile.fim.question(layout.prompt[:1], layout.head, [300] * 100)
    assert len(long) == len(layout.head) + 42


def test_a_model_that_ends_its_holes_says_it_of_every_text_at_once() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(HOLE)
    row = [{300: -1.0, 9: -4.0}, {301: -2.0}, {3: -0.5}, {3: -0.1}]
    assert scoring.probes(served(), tokens, layout, [(300, 301)], 40) == []
    known = scoring.first_step(served(), tokens, layout, [], 1, said(row))
    assert known((300, 301)) == [-1.0, -2.0, -0.5], "with the token that ends it"
    assert known((302,)) == [-4.0 - scoring.UNSEEN, -2.0 - scoring.UNSEEN], "none of them came back"


def test_others_need_a_row_for_each() -> None:
    tokens = tiny.tokens()
    tokens.profile = NO_FILLER
    layout = tokens.lay(HOLE)
    texts = [(300, 301), (302,)]
    rows = scoring.probes(served(), tokens, layout, texts, 40)
    assert [[i for i, known in zip(row.ids, row.pinned, strict=True) if not known] for row in rows] == [
        [300, 301],
        [302],
    ]
    own, first, second = [{7: -0.1}], [{300: -1.0}, {301: -2.0}], [{302: -0.3}]
    known = scoring.first_step(served(), tokens, layout, texts, 1, said(own, first, second))
    assert [known(text) for text in texts] == [[-1.0, -2.0], [-0.3]]
    assert known((303,)) is None, "it was not probed"


def test_with_several_holes_nothing_is_read() -> None:
    tokens = tiny.tokens()
    known = scoring.first_step(served(), tokens, tokens.lay(TWO), [], 1, said([{300: -1.0}]))
    assert known((300,)) is None


def test_of_its_own_texts_the_denoiser_has_said_it() -> None:
    own, draft, unscored = (
        Candidate("x", [300], logprobs=[-0.2, -0.1]),
        Candidate("y", [301]),
        Candidate("z", [9, 9]),
    )
    tokens, about = tiny.tokens(), dict[scoring.Ids, list[float]]({(301,): [-3.0]})
    found = [own, draft, unscored]
    scores = scoring.scores(served(), tokens, tokens.lay(HOLE), found, 4, lambda ids: about.get(ids))
    assert [score.ids for score in scores] == [[-0.2, -0.1], [-3.0], []]
    assert not any(score.after for score in scores)


@pytest.mark.parametrize("filler", [3, None])
def test_a_whole_fill_without_scores(filler: int | None) -> None:
    """Through the engine: drafts compete, probes are gone after the first step, and are never answers."""
    tokens = tiny.tokens()
    if filler is None:
        tokens.profile = dataclasses.replace(NO_FILLER, policy=tokens.profile.policy)
    text = "first = compute(1)\nsecond = "
    request = Infill(id=0, document="", prefix=text[:19], canvas=(Fixed("second = "), Slot(8), Fixed("\n")))
    engine, kept = Engine("tiny", served(), tokens), []
    keep = engine._keep
    engine._keep = lambda proposal, sizes: kept.append(found := keep(proposal, sizes)) or found  # type: ignore
    fill = engine.run(request)
    everything = [fill.sources, *(each.sources for each in fill.alternatives)]
    assert any("draft" in sources for sources in everything)
    assert fill.steps >= 1
    if filler is None:
        assert kept[0] is not None, "the rows that only ask go"


def test_composed_texts_are_judged_without_a_row_more() -> None:
    """From what the workspace's texts say, by the first step and the n-gram model."""
    asked = msgspec.structs.replace(HOLE, workspace="w", language="python")
    engine, noted, rows = Engine("tiny", served(), tiny.tokens()), [], []
    denoise = engine.denoiser.denoise
    engine.denoiser.denoise = lambda prompt, given, *more: (
        rows.append(len(given))
        or denoise(  # type: ignore
            prompt, given, *more
        )
    )
    engine.on_scored = lambda found, scores: noted.append(
        dict(zip([c.text for c in found], scores, strict=True))
    )
    engine.run(asked)
    library = Library()
    library.put("client", Texts("w", "python", {"f": "a = 1\nb = shelf(2)\n" * 3}))
    engine.use(library)
    while library.work(1.0):
        pass
    engine.run(asked)
    before, after = noted
    assert "shelf(2)" not in before
    assert after["shelf(2)"].ids, "the first step has a score for it"
    assert rows == [1, 1]
