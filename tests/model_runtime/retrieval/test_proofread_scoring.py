from __future__ import annotations

import pytest

from model_runtime.diffusion.interface import BranchScore
from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.retrieval import proofread_scoring
from model_runtime.retrieval.reranker import Candidate
from tests.model_runtime.inference.test_engine import engine
from tests.support import tiny


def test_the_reading_that_makes_all_likelier_leads() -> None:
    written, others = Candidate("a", [9]), [Candidate("b", [10]), Candidate("c", [11])]
    scores = [BranchScore([-1.0], [-9.0]), BranchScore([-2.0], [-1.0]), BranchScore([-20.0], [])]
    b, a, c = proofread_scoring.weigh(written, others, scores)
    assert [each.text for each in (b, a, c)] == ["b", "a", "c"]
    assert c.confidence < 0.5 < b.confidence < 1
    assert a.confidence == pytest.approx(1 - b.confidence)
    assert proofread_scoring.weigh(written, [], scores[:1])[0].confidence == pytest.approx(1)


def test_the_denoisers_word_counts_by_token() -> None:
    """A long reading is not doubtful for its length: positions are read as if they were independent."""
    written, others = Candidate("long", [9] * 6), [Candidate("x", [10]), Candidate("y", [11])]
    scores = [BranchScore([-3.0] * 6, []), BranchScore([-0.5], []), BranchScore([], [])]
    first, last = proofread_scoring.weigh(written, others, scores, causal=False)
    assert (first.text, last.text) == ("x", "long"), "y has no score"
    assert 0.5 < first.confidence < 0.9
    far = proofread_scoring.weigh(written, others[:1], [BranchScore([-9.0] * 6, []), scores[1]], causal=False)
    assert far[0].confidence > 0.9
    (alone,) = proofread_scoring.weigh(written, others[:1], [scores[2], scores[1]], causal=False)
    assert (alone.text, alone.confidence) == ("long", 1.0), "without a score there is no doubt"


def test_what_is_written_is_among_the_fills() -> None:
    request = Infill(
        id=1, document="d", prefix="x = 1\n", canvas=(Fixed("a = "), Slot(4), Fixed("\n")), original="x"
    )
    target = engine()
    assert target.tokens.encode("x")
    fill = target.run(request)
    assert 0 < fill.confidence <= 1
    assert set(fill.sources) <= {"denoiser", "draft", "original"}
    several = Infill(id=1, document="d", prefix="", canvas=(Slot(2), Fixed("b"), Slot(2)), original="x")
    with pytest.raises(Exception, match="several holes"):
        target.run(several)
    assert tiny.tokens()
