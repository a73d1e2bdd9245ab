from __future__ import annotations

import pytest

from model_runtime.retrieval.retriever import MOST, continued, retrieve


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        ("total = a * b\nif x:\n    total = a", "\n", " * b"),  # the rest of a like line
        ("self.price = price\nself.count =", "\n", " count"),  # by analogy
        ("f(a, b)\ng()\nf(a", ")\n", ", b"),  # stops before what follows the hole
        ("x = 1\n", "\nfoo(bar, baz)\nfoo(bar", None),  # nothing to go by
        ("log(", ")\nlog(message)\n", "message"),  # found below
        ("a.b = c.b\na.d", " = c.d\n", None),  # all that could be copied is there already
    ],
)
def test_the_best_draft(before: str, after: str, first: str | None) -> None:
    found = retrieve(before, after)
    assert (found[0].text if found else None) == first


def test_an_empty_line_gets_what_followed_a_like_line() -> None:
    before = "def a():\n    x = load(1)\n    check(x)\n\ndef b():\n    y = load(1)\n    "
    assert "check(y)" in [d.text for d in retrieve(before, "\n")]


@pytest.mark.parametrize(
    ("head", "wanted", "first"),
    [
        ("b = pri", ["ce(count, b)", "(count, b)"], "ce(count, b)"),
        ("b = price", ["(count, b)"], "(count, b)"),
        ("b = p", ["rice(count, b)"], "rice(count, b)"),
        ("b = other", ["(count, b)"], "(count, b)"),
    ],
)
def test_a_name_half_typed_goes_on_as_in_a_like_line(head: str, wanted: list[str], first: str) -> None:
    found = [each.text for each in retrieve(f"a = price(count, a)\n{head}", "\n")]
    assert found[0] == first
    assert set(wanted) <= set(found)


LOAD = "def a():\n    x = load(1)\n    if x:\n        check(x)\n    return x\n\n"


@pytest.mark.parametrize(
    ("lines", "before", "after", "wanted"),
    [
        (8, LOAD + "def b():\n    x = ", "\n", "load(1)\n    if x:\n        check(x)\n    return x"),
        (2, LOAD + "def b():\n    x = ", "\n", "load(1)\n    if x:"),
        (8, LOAD + "def b():\n    x = ", "\n    return x\n", "load(1)\n    if x:\n        check(x)"),
        (1, LOAD + "def b():\n    x = ", "\n", "load(1)"),
    ],
    ids=["to the end of the block", "as many as fit", "up to the line that follows", "one"],
)
def test_a_hole_of_several_lines_gets_as_many(lines: int, before: str, after: str, wanted: str) -> None:
    assert retrieve(before, after, lines)[0].text == wanted


def test_longer_agreement_comes_first() -> None:
    before = "if ready: send(one)\nsend(two)\nif ready: send("
    texts = [d.text for d in retrieve(before, ")\n")]
    assert texts[:2] == ["one", "two"]


def test_drafts_are_few_and_different() -> None:
    before = "".join(f"item(value{i})\n" for i in range(50)) + "item("
    texts = [d.text for d in retrieve(before, ")\n")]
    assert len(texts) == len(set(texts)) == MOST


@pytest.mark.parametrize(
    ("suggested", "typed", "rest"),
    [
        ("alpha + beta", "alpha", " + beta"),  # typed through
        ("self.x = x", "self.y", " = y"),  # diverged: the same shape with another name
        ("foo(a, b)", "bar(", "a, b)"),
        ("alpha + beta", "alpha + beta", None),  # nothing is left
        ("alpha + beta", "", None),  # nothing was typed
        ("alpha + beta", "while", None),  # another shape
        ("alpha", "beta, gamma", None),  # more than was suggested
    ],
)
def test_what_is_left_of_an_earlier_suggestion(suggested: str, typed: str, rest: str | None) -> None:
    draft = continued(suggested, typed)
    assert (draft.text if draft else None) == rest


def test_drafts_from_other_files() -> None:
    before, pieces = (
        "a = 1\ntotal = compute(",
        ["# a.py\nx = compute(one)\n", "# b.py\ntotal = compute(two)\n"],
    )
    found = retrieve(before, ")\n", elsewhere=pieces)
    assert [d.text for d in found] == ["two", "one"]  # longer agreement first
    own = retrieve("\ntotal = compute(three)\n" + before, ")\n", elsewhere=pieces)
    assert own[0].text == "three"  # as long, and nearer


def test_a_short_agreement_counts_only_in_the_same_file() -> None:
    assert [d.text for d in retrieve("if(one)\nif(", ")\n", elsewhere=["if(two)\n"])] == ["one"]


@pytest.mark.parametrize("before", ["", "x", "  ", "\n", "é" * 300, "((((((", "\n" * 400])
def test_odd_text_is_no_trouble(before: str) -> None:
    for after in ("", "\n", ")", "é"):
        for draft in retrieve(before, after):
            assert draft.text.strip()
