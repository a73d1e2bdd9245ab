"""Which rows are denoised, and which different texts come out of them."""

from __future__ import annotations

from model_runtime.inference import candidates
from model_runtime.inference.candidates import Offers
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.retrieval import reranker
from model_runtime.retrieval.ngram import NgramModel
from model_runtime.retrieval.reranker import Calibration, Candidate
from model_runtime.retrieval.retriever import Draft
from tests.model_runtime.inference.fills import REQUEST
from tests.support import tiny

HOLE = Infill(id=0, document="", prefix="a = 1\n", canvas=(Fixed("b = "), Slot(8), Fixed("\n")))
TWO = Infill(id=0, document="", prefix="", canvas=(Slot(4), Fixed(" = "), Slot(4), Fixed("\n")))


def test_the_joint_probability_counts_the_text_and_its_end_only() -> None:
    tokens = tiny.tokens()
    ids, logprobs = [9, 3, 3, 3, 3, 3, 3, 3, 3], [0.0, 0.0, *[-9.0] * 7]
    assert candidates.joint(tokens, tokens.lay(REQUEST), ids, logprobs) == 1.0


def test_a_text_found_twice_keeps_the_better_evidence() -> None:
    tokens = tiny.tokens()
    weak, strong = Draft("x", 1, False, 0), Draft("x", 30, False, 9)
    for drafts in ([weak, strong], [strong, weak]):
        (found,) = candidates.gather(tokens, tokens.lay(REQUEST), Offers(drafts=drafts))
        assert (found.draft, found.votes) == (strong, 2)


def test_a_draft_has_as_many_lines_as_there_is_room_for() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(HOLE)
    drafts = [Draft("a\nb\n" + "c " * 40 + "\nd", 1, False, 1), Draft("e " * 40, 1, False, 1)]
    assert [each.text for each in candidates.fitting(tokens, layout, drafts)] == ["a\nb", "e " * 40]


def test_which_texts_are_asked_about() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(HOLE)
    drafts = [Draft(text, 1, 1, 1) for text in ("a", "a", "a " * 40, "")]
    assert candidates.foreign(tokens, layout, drafts, "old") == [
        tuple(tokens.encode("a")),
        tuple(tokens.encode("old")),
    ]
    several = tokens.lay(TWO)
    assert candidates.foreign(tokens, several, drafts, "") == []


def test_what_is_known_without_the_network_is_noted() -> None:
    found = [Candidate("price)", []), Candidate("other)", [])]
    candidates.score_by_words(found, NgramModel("price = 1\nprint(", "\nprint(price)\n"))
    rows = reranker.features(found, candidates.unscored(found))
    assert [row["plain_unseen"] > 0 for row in rows] == [False, True]
    assert [row["plain_ahead"] for row in rows] == [1.0, 0.0]
    assert [row["line_below"] for row in rows] == [1.0, 0.0]
    assert rows[0]["ngram_share"] > rows[1]["ngram_share"]
    assert all(row["after_bracket"] for row in rows)


def test_the_likeliest_without_the_network_and_the_denoisers_own_are_scored() -> None:
    found = [Candidate(name, [], ngram=nats) for name, nats in (("a", -9.0), ("b", -1.0), ("c", -5.0))]
    found.append(Candidate("d", [], ngram=-30.0, sources={"denoiser"}))
    kept = candidates.likeliest(found, 2, Calibration({"ngram_share": 9.0}))
    assert [each.text for each in kept] == ["b", "c", "d"]
