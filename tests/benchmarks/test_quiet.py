"""Places where nothing is wanted, found in a file of ours."""

from __future__ import annotations

import pytest

from benchmarks import quiet
from model_runtime.training.corpus import Document
from tests.support.paths import ROOT

TEXT = (ROOT / "model_runtime" / "daemon" / "scheduler.py").read_text()
DOCUMENTS = [Document("own", "Apache-2.0", "scheduler.py", TEXT)]


def test_quiet_places_are_where_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = TEXT.split("\n")
    for at in quiet.finished(TEXT):
        line = TEXT[:at].split("\n")[-1]
        assert TEXT[at] == "\n"
        assert line in lines
        assert not line.rstrip().endswith((":", "(", ","))
    for at in quiet.in_comments(TEXT):
        assert "#" in TEXT[:at].split("\n")[-1]
    assert len(quiet.in_strings(TEXT)) > 20
    for at in (*quiet.in_strings(TEXT), *quiet.in_comments(TEXT)):
        assert quiet._in_words(TEXT, at)
    monkeypatch.setattr(quiet, "UNFINISHED", ("unfinished line", 5))
    wanted = list(quiet.unfinished_places(DOCUMENTS, 0))
    assert len(wanted) == 5
    assert all(place.wanted and (place.before + "\n") not in TEXT for place in wanted)
