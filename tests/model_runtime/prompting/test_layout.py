from __future__ import annotations

import dataclasses

import pytest

from model_runtime.prompting.layout import LayoutError, Tokens
from model_runtime.prompting.profiles import EMBEDDED
from model_runtime.protocol import Fixed, Infill, Slot
from tests.support import tiny

BOS, END = EMBEDDED.bos[0], EMBEDDED.end


def request(*canvas: Fixed | Slot, prefix: str = "") -> Infill:
    return Infill(id=1, document="d", prefix=prefix, canvas=canvas)


def text_of(tokens: Tokens, ids, pinned) -> str:
    return tokens.decode([i for i, known in zip(ids, pinned, strict=True) if known])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n",
        "    return [1, 23456]\n\n\tif é:  # 你好 🎉\n",
        "  trailing  \n",
        "a\r\nb",
        "__x__.foo_bar",
    ],
)
def test_text_survives_the_tokenizer(text: str) -> None:
    assert tiny.tokens().decode(tiny.tokens().encode(text)) == text


def test_lines_tokenize_alike_alone_and_together() -> None:
    """What keeps a prefix cache valid: a prompt's ids change only where its text does."""
    tokens = tiny.tokens()
    lines = tiny.SOURCE.splitlines(keepends=True)
    assert tokens.encode("".join(lines)) == [i for line in lines for i in tokens.encode(line)]


def test_a_canvas_is_head_hole_suffix() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(request(Fixed("    x = "), Slot(8), Fixed("\n    y = 2\n"), prefix="def f():\n"))
    row = layout.row([9], layout.fixed_width([9]))
    assert layout.prompt == [BOS, *tokens.encode("def f():\n")]
    assert layout.slots == (8,)
    assert list(row.pinned).count(False) == 9
    assert text_of(tokens, row.ids, row.pinned) == "    x = \n    y = 2\n"
    assert row.ids[-1] == END


def test_several_holes_keep_the_text_between_them() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(request(Fixed("a = "), Slot(4), Fixed("\nb = "), Slot(6), Fixed("\n")))
    assert layout.slots == (4, 6)
    row = layout.row([5, 7], 60)
    assert list(row.pinned).count(False) == 12
    assert text_of(tokens, row.ids, row.pinned) == "a = \nb = \n"
    assert len(row.ids) == 60


def test_adjacent_holes_have_nothing_between_them() -> None:
    assert tiny.tokens().lay(request(Slot(4), Slot(6), Fixed("\n"))).between == ([],)


def test_a_row_may_hold_a_draft() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(request(Fixed("a = "), Slot(8), Fixed("\n")))
    row = layout.row([tokens.encode("b + 1")], 30)
    assert row.draft
    assert tokens.decode(row.ids) == "a = b + 1\n"


def test_riding_moves_the_prompts_end_to_the_canvas() -> None:
    tokens = tiny.tokens()
    layout = tokens.lay(request(Fixed("a = "), Slot(8), Fixed("\n"), prefix="x = 1\ny = 2\n"))
    moved = layout.riding(3)
    assert moved.prompt + moved.head == layout.prompt + layout.head
    assert len(moved.prompt) == len(layout.prompt) - 3


def test_healing_backs_up_to_the_token_boundary() -> None:
    tokens = Tokens(tiny.tokenizer(), dataclasses.replace(EMBEDDED, heal=True))
    layout = tokens.lay(request(Fixed("x = sel"), Slot(8), Fixed("\n")))
    assert layout.typed
    assert tokens.decode(layout.head) + layout.typed == "x = sel"
    starts = {tokens.decode([i]) for i in tokens.starts(layout.typed)}
    assert starts
    assert all(s.startswith(layout.typed) or layout.typed.startswith(s) for s in starts)
    assert tokens.lay(request(Fixed("x = ("), Slot(8), Fixed("\n"))).typed == ""


def test_a_long_head_moves_to_the_prompt() -> None:
    tokens = tiny.tokens()
    head = "value = " + " + ".join(f"name_{i}" for i in range(40))
    layout = tokens.lay(request(Fixed(head), Slot(8), Fixed("\n"), prefix="x\n"))
    assert len(layout.head) == EMBEDDED.head
    assert layout.prompt + layout.head == [BOS, *tokens.encode("x\n"), *tokens.encode(head)]


def test_a_long_prefix_loses_its_oldest_lines_in_steps() -> None:
    tokens = tiny.tokens()
    lines = [f"variable_{i} = {i}\n" for i in range(900)]
    cuts = set()
    for n in range(700, 720):
        prompt = tokens.lay(request(Slot(4), prefix="".join(lines[:n]))).prompt
        assert len(prompt) <= EMBEDDED.context
        text = tokens.decode(prompt)
        assert "".join(lines[:n]).endswith(text)
        cuts.add(text.split("\n")[0])
    assert len(cuts) <= 3  # the cut moved at most twice in 20 lines
    assert all(cut.startswith("variable_") for cut in cuts)


def test_a_huge_prefix_costs_no_more_than_a_long_one() -> None:
    tokens = tiny.tokens()
    prompt = tokens.lay(request(Slot(4), prefix="x = 1\n" * 500_000)).prompt
    assert 1 < len(prompt) <= EMBEDDED.context


@pytest.mark.parametrize(
    ("canvas", "says"),
    [
        ((Fixed("x"),), "no hole"),
        ((), "no hole"),
        ((Slot(0),), "at least one token"),
        ((Slot(47), Fixed("x"), Slot(47)), "canvas has room"),
        ((Slot(4), Fixed("word " * 100), Slot(4)), "canvas has room"),
    ],
)
def test_what_does_not_fit_is_refused(canvas: tuple, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        tiny.tokens().lay(request(*canvas))


def test_a_slot_longer_than_the_model_allows_is_shortened() -> None:
    layout = tiny.tokens().lay(request(Slot(10_000)))
    assert layout.slots == (EMBEDDED.slot,)


def test_budgets_come_from_the_profile() -> None:
    small = Tokens(tiny.tokenizer(), dataclasses.replace(EMBEDDED, canvas=24, slot=7, suffix=4))
    layout = small.lay(request(Fixed("a = "), Slot(20), Fixed("\n" + "b = 1\n" * 50)))
    assert layout.fixed_width([8]) == 24
    assert len(layout.row([8], 24).ids) == 24
