"""Whole answers over several canvases: where they end, what is thought first, which row is taken."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from model_runtime.diffusion.faults import Unfillable
from model_runtime.inference.free_answer import Answering, pick
from model_runtime.prompting.chat_prompt import Chat
from model_runtime.protocol import Infill
from tests.model_runtime.prompting.examples import REWRITE, Scripted
from tests.support import tiny_gemma


def answered(chat: Chat, denoiser: Scripted, request: Infill) -> tuple[str, int]:
    question = chat.ask(request, denoiser)  # type: ignore[arg-type]
    run = Answering(denoiser, chat.tokens, chat.dialogue.ends, 0).run(question)  # type: ignore[arg-type]
    steps = 0
    while True:
        try:
            steps = next(run).step
        except StopIteration as stop:
            return stop.value.texts[0], steps


@pytest.mark.parametrize("end", ["\n```<turn|>", "\n```\nThat is all.<turn|>", "<turn|>", "<eos>"])
def test_an_answer_ends_where_it_says(chat: Chat, end: str) -> None:
    chat.tokens.tokenizer.encode_special_tokens = False
    ids = chat.tokens.encode(f"y = g(x){end}")
    chat.tokens.tokenizer.encode_special_tokens = True
    assert answered(chat, Scripted([ids]), REWRITE) == ("y = g(x)", 2)


def test_an_answer_goes_on_on_the_next_canvas(chat: Chat) -> None:
    text = "\n".join(f"y{n} = g({n})" for n in range(20))
    ids = [*chat.tokens.encode(text + "\n```"), 106]
    width = tiny_gemma.CANVAS
    canvases = [ids[i : i + width] for i in range(0, len(ids), width)]
    assert len(canvases) > 2
    denoiser = Scripted(canvases)
    request = replace(REWRITE, original="y = f(x)\n" * 20)
    assert answered(chat, denoiser, request) == (text, 2 * len(canvases))
    assert denoiser.prompts[1] == denoiser.prompts[0] + canvases[0]


def test_a_thought_comes_first_and_is_left_out(chat: Chat) -> None:
    width = tiny_gemma.CANVAS
    thought = [100, tiny_gemma.THOUGHT, tiny_gemma.NEWLINE, *chat.tokens.encode("well " * width)]
    thought = [*thought[: 2 * width - 9], 101]
    answer = [*chat.tokens.encode("y = 1\n```"), 106]
    denoiser = Scripted([thought[:width], thought[width:], answer])
    text, steps = answered(chat, denoiser, replace(REWRITE, thinking=True))
    assert (text, steps) == ("y = 1", 6)
    told = chat.tokens.tokenizer.decode(denoiser.prompts[2], skip_special_tokens=False)
    assert told.endswith("<channel|>```python\n    ")
    assert len(denoiser.rows[0]) == 1  # no warm start for a thought
    assert len(denoiser.rows[2]) == 2


def test_an_answer_without_an_end_is_none(chat: Chat) -> None:
    endless = [chat.tokens.encode("y = " * 40)[: tiny_gemma.CANVAS]] * 20
    with pytest.raises(Unfillable, match="did not end within"):
        answered(chat, Scripted(endless), REWRITE)


def test_out_of_time_before_the_end(chat: Chat) -> None:
    endless = Scripted([chat.tokens.encode("y = " * 40)[: tiny_gemma.CANVAS]] * 20)
    question = chat.ask(REWRITE, endless)  # type: ignore[arg-type]
    run = Answering(endless, chat.tokens, chat.dialogue.ends, 0).run(question)  # type: ignore[arg-type]
    next(run)
    with pytest.raises(Unfillable, match="out of time") as refused:
        run.send("finish")
    assert refused.value.reason == "deadline"


@pytest.mark.parametrize(
    ("means", "expected"),
    [([-1.0, -0.1], "y = g(x)"), ([-2.0, -1.9], "y = g(x)")],
)
def test_the_old_text_again_loses(chat: Chat, means: list[float], expected: str) -> None:
    ids = [*chat.tokens.encode("y = g(x)\n```"), 106]
    assert answered(chat, Scripted([ids], means), REWRITE)[0] == expected


@pytest.mark.parametrize(
    ("rows", "means", "old", "chosen"),
    [
        ([[1, 2], [3, 4]], [-1.0, -2.0], [9, 9], 0),
        ([[1, 2], [3, 4]], [-2.0, -1.0], [9, 9], 1),  # the warm start made something better of it
        ([[1, 2], [9, 9]], [-2.0, -1.0], [9, 9], 0),  # it left all as it was
        ([[9, 9], [9, 9]], [-2.0, -1.0], [9, 9], 1),
        ([[1, 2]], [-1.0], None, 0),
    ],
)
def test_pick(rows: list[list[int]], means: list[float], old: list[int] | None, chosen: int) -> None:
    assert pick(rows, means, old) == chosen
