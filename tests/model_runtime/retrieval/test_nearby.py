"""What the ranking knows of a text's names and the lines around its hole."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.retrieval.nearby import UNSEEN, Nearby

ABOVE = ["import json", "", "def load(path, encoding):", "    text = path.read(encoding)", "    path.close()"]
BELOW = ["    return found", "", "def save(path):", "    path.close()"]


def features(head: str, text: str, tail: str = "") -> dict[str, float]:
    return Nearby(ABOVE, head, tail, BELOW).features(text)


@pytest.mark.parametrize(
    ("head", "text", "plain", "attributes"),
    [
        ("    found = ", "json.loads(text)", ["json", "text"], ["loads"]),
        ("    found = json.", "loads(text)", ["text"], ["loads"]),
        ("    found = json.lo", "ads(text)", ["text"], ["loads"]),
        ("    found = js", "on.loads(text)", ["json", "text"], ["loads"]),
        ("    found = json", ".loads(text)", ["text"], ["loads"]),
        ("    ", "found = text", ["text"], []),
        ("    ", "if found == text:", ["found", "text"], []),
        ("    return ", 'load(path, encoding="path.x")', ["load", "path"], []),
        ("    return ", "not None", [], []),
        ("    return ", "text\n    other = path", ["text"], []),
        ("    return ", "", [], []),
    ],
)
def test_plain_names_and_those_behind_a_dot(
    head: str, text: str, plain: list[str], attributes: list[str]
) -> None:
    found = features(head, text)
    assert found["plain"] == pytest.approx(math.log1p(len(plain)))
    assert found["attribute"] == pytest.approx(math.log1p(len(attributes)))


@pytest.mark.parametrize(
    ("text", "unseen", "far"),
    [
        ("path", 0, 1),
        ("text", 0, 2),
        ("text + json", 0, 5),
        ("text + other", 1, UNSEEN),
        ("one + other", 2, UNSEEN),
        ("save", 1, UNSEEN),
        ("value", 0, 0),
        ("1", 0, 0),
    ],
)
def test_how_far_above_a_name_stands(text: str, unseen: int, far: int) -> None:
    found = features("    return value + ", text)
    assert found["plain_unseen"] == pytest.approx(math.log1p(unseen))
    assert found["plain_far"] == pytest.approx(math.log1p(far))


def test_a_name_that_is_gone_on_with_is_not_its_own_last_place() -> None:
    assert features("    return pat", "h")["plain_far"] == pytest.approx(math.log1p(1))
    assert features("    path", ".read(text)")["attribute_far"] == pytest.approx(math.log1p(2))


def test_how_many_names_stand_behind_the_hole() -> None:
    assert features("    found = ", "save(text, path)")["plain_ahead"] == pytest.approx(2 / 3)
    assert features("    found = load(", "text", " or other)")["plain_ahead"] == 0.0
    assert features("    found = load(", "other", " or other)")["plain_ahead"] == 1.0


def test_a_new_name_is_fresh_until_it_is_used() -> None:
    assert features("    return ", "text")["plain_fresh"] == 1.0
    assert features("    return ", "path")["plain_fresh"] == pytest.approx(1 / 3)
    long_ago = Nearby(["text = 1", *[""] * 15], "    return ", "", [])
    assert long_ago.features("text")["plain_fresh"] == 0.0


def test_whole_lines_that_are_there_already() -> None:
    assert features("    path", ".close()") | {"line_above": 1.0, "line_below": 0.25} == features(
        "    path", ".close()"
    )
    assert features("    path.close(", "", ")")["line_above"] == 1.0
    assert features("    ", "text = path.read(encoding)")["line_above"] == 0.5
    assert features("    ", "other")["line_above"] == features("    ", "other")["line_below"] == 0.0


@pytest.mark.parametrize(
    ("head", "text", "goes_on", "stops", "unseen"),
    [
        ("    return pat", "h", 1, 0, 0),
        ("    return pat", "(text)", 0, 3, 1),  # "pat" stands nowhere
        ("    return path", "(text)", 0, 4, 0),
        ("    found", " = 1", 0, 5, 0),  # below the hole
        ("    return", " path", 0, 6, 0),  # a word of the grammar
        ("    return ", "path", 0, 0, 0),
    ],
)
def test_whether_a_name_is_taken_to_be_whole(
    head: str, text: str, goes_on: int, stops: int, unseen: int
) -> None:
    found = features(head, text)
    assert found["goes_on"] == goes_on
    assert found["stops"] == pytest.approx(math.log1p(stops))
    assert found["stops_unseen"] == unseen


@given(st.lists(st.text(max_size=8), max_size=3), st.text(max_size=8), st.text(max_size=12))
def test_any_text_has_small_features(lines: list[str], head: str, text: str) -> None:
    found = Nearby(lines, head, head, lines).features(text)
    assert len(found) == 13
    assert all(0 <= value < 7 for value in found.values())
