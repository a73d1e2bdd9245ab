"""What a chat is told and how its answer is read."""

from __future__ import annotations

import pytest

from model_runtime.protocol import Fixed, Infill, Slot
from model_runtime.remote import prompts


@pytest.mark.parametrize(
    ("answer", "befores", "expected"),
    [
        ("```python\nfoo()\n```", ["x = "], ["foo()"]),
        ("Here it is:\n\n```\nfoo()\n```\nI hope it helps.", ["x = "], ["foo()"]),
        ("foo()", ["x = "], ["foo()"]),
        ("x = foo()", ["x = "], ["foo()"]),
        ("```\n    x = foo()\n```", ["    x = "], ["foo()"]),
        ("```\n    a = 1\n    b = 2\n```", ["    "], ["a = 1\n    b = 2"]),
        ("```\na = 1\n```", ["    "], ["a = 1"]),
        ("```python\nfoo(", ["x = "], ["foo("]),  # still being streamed
        ("```", ["x = "], [""]),
        ("", ["x = "], [""]),
        ("<think>```\nno\n```</think>\n```\nyes\n```", ["x = "], ["yes"]),
        ("<think>not done", ["x = "], [""]),
        ("```\n1\n```\n```\n2\n```", ["", ""], ["1", "2"]),
        ("```\n1\n```", ["", ""], ["1", ""]),
        ("1 and 2", ["", ""], ["", ""]),
        ('```\ns = """\n```', [""], ['s = """']),
        ("Sure! Here's the missing code:\n\nfoo()", ["x = "], ["foo()"]),
        ("Here is the missing text:\nfoo()", ["x = "], ["foo()"]),
        ("Sure.\nHere\u2019s what belongs there:\n```py\nfoo()\n```", ["x = "], ["foo()"]),
        ("here.foo(1):", ["if "], ["here.foo(1):"]),  # no sentence
        ("`foo()`", ["x = "], ["foo()"]),
        ("```foo()```", ["x = "], ["foo()"]),
        ("```python foo()```", ["x = "], ["foo()"]),
        ("~~~\nfoo()\n~~~", ["x = "], ["foo()"]),
        ("````md\n```\nfoo\n```\n````", [""], ["```\nfoo\n```"]),
        ("```\ndef f(a):\n    x = foo()\n```", ["import os\n\ndef f(a):\n    x = "], ["foo()"]),
        ("```\nimport os\ndef f(a):\n    return a\n```", ["import os\ndef f(a):\n    "], ["return a"]),
        ("```\n}\nfoo()\n```", ["a {\n}\n"], ["}\nfoo()"]),  # too little to be a repetition
    ],
)
def test_reading_a_chat(answer: str, befores: list[str], expected: list[str]) -> None:
    assert prompts.read(answer, befores) == expected


def test_a_mark_or_fence_in_the_text_is_no_mark() -> None:
    request = Infill(id=1, document="", prefix="# <HOLE>\n````\n", canvas=(Slot(4), Fixed("\n")))
    said = prompts.messages(request)
    assert "<_HOLE>\n" in said[1]["content"]
    assert "<_HOLE>" in said[0]["content"]
    assert said[1]["content"].count("`````") == 2
