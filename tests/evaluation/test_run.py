"""The loop over places and contenders."""

from __future__ import annotations

import asyncio

import pytest

from evaluation import report
from evaluation.places import chosen, read
from evaluation.run import Findings, measure
from lsp_server.config.settings import Settings
from tests.evaluation.examples import HELD_OUT, QUIET, Says, judged


def test_all_kinds_to_all_contenders(capsys: pytest.CaptureFixture[str]) -> None:
    """The right text is exactly right for every kind of own hole that is asked at a cursor."""
    places = chosen([*read(HELD_OUT), *read(QUIET)], 3, seed=1)
    kinds = {one.kind for one in places}
    assert {"end-of-line", "whole-line", "lines", "brackets", "span", "finished statement"} <= kinds
    findings = Findings()
    sure, unsure = Says("x", 1.0), Says("x", 0.1)
    asyncio.run(
        measure(places, {"shipped": sure, "other": unsure}, Settings(languages=("python",)), findings)
    )
    rows = findings.rows(0.4)
    assert len(rows) == 10
    assert all(row["n"] == 3 for row in rows)
    assert {row["shown"]["share"] for row in rows if row["contender"] == "other"} == {0.0}
    quiet = {row["category"]: row for row in findings.quiet(0.4)}
    assert quiet["another language"]["silent_by_rules"]["share"] == 1
    assert quiet["all of these"]["n"] == 12
    assert quiet["unfinished line"]["wanted"]
    labels = {"shipped": "as shipped", "other": "the other"}
    text = report.table({"contenders": labels, "rows": rows, "quiet": findings.quiet(0.4)})
    for line in text.split("\n"):
        assert not line or (line[0], line[-1]) == ("|", "|")
    assert "unfinished line, 3" in text
    for one in places:
        if one.kind in ("end-of-line", "brackets"):
            assert judged(one, one.middle).exact
