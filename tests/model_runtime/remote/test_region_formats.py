"""Models that were made for next edits: what they are asked, to the letter, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from msgspec.structs import replace

from model_runtime.diffusion.faults import Unfillable
from model_runtime.protocol import Choice, Fixed, Infill, NextEdit, PastEdit, Slot
from model_runtime.remote import region_formats
from model_runtime.remote.loading import load
from model_runtime.remote.texts import TextEngine
from tests.model_runtime.remote.test_texts import run
from tests.support.servers import Process, started

EDIT = NextEdit(
    format="sweep",
    path="a.py",
    line=2,
    cursor=5,
    earlier="old(1)\nold(2)",
    edits=(PastEdit("b.py", 7, "", "import new"), PastEdit("a.py", 2, "old(1)", "new(1)")),
)
REQUEST = Infill(
    id=1,
    document="a#next-edit",
    prefix="import x\n",
    canvas=(Slot(64), Fixed("\nlast()\n")),
    original="new(1)\nold(2)",
    next_edit=EDIT,
)
SWEEP = """\
<|file_sep|>a.py
import x
new(1)
old(2)
last()

<|file_sep|>b.py:7:7
original:

updated:
import new
<|file_sep|>a.py:2:2
original:
old(1)
updated:
new(1)
<|file_sep|>original/a.py:2:3
old(1)
old(2)
<|file_sep|>current/a.py:2:3
new(1<|cursor|>)
old(2)
<|file_sep|>updated/a.py:2:3
"""
DIFFS = """\
--- a/b.py
+++ b/b.py
@@ -7,0 +7,1 @@
+import new
--- a/a.py
+++ b/a.py
@@ -2,1 +2,1 @@
-old(1)
+new(1)"""
ZETA = f"""\
<[fim-suffix]>
last()
<[fim-prefix]><filename>edit_history
{DIFFS}

<filename>a.py
import x
<<<<<<< CURRENT
new(1<|user_cursor|>)
old(2)
=======
<[fim-middle]>"""
ZETA_BLOCKS = f"""\
<[fim-suffix]>last()
<[fim-prefix]><filename>edit_history
{DIFFS}

<filename>a.py
import x
<|marker_1|>new(1<|user_cursor|>)
old(2)
<|marker_2|>
<[fim-middle]>"""
END = "<[end\u2581of\u2581sentence]>"
MERCURY = f"""\
<|recently_viewed_code_snippets|>

<|/recently_viewed_code_snippets|>

<|current_file_content|>
current_file_path: a.py
import x
<|code_to_edit|>
new(1<|cursor|>)
old(2)
<|/code_to_edit|>
last()
<|/current_file_content|>

<|edit_diff_history|>
{DIFFS}
<|/edit_diff_history|>"""


def test_prompts_to_the_letter() -> None:
    forms = {name: replace(EDIT, format=name) for name in region_formats.FORMATS}
    asked = {name: region_formats.body(REQUEST, form, "m", 64) for name, form in forms.items()}
    assert asked["sweep"]["prompt"] == SWEEP
    assert asked["zeta-2"]["prompt"] == ZETA
    assert asked["zeta-2.1"]["prompt"] == ZETA_BLOCKS
    assert asked["mercury"]["messages"] == [{"role": "user", "content": MERCURY}]
    assert asked["sweep"]["stop"] == ["<|file_sep|>", "<|endoftext|>"]


@pytest.mark.parametrize(
    ("form", "answer", "expected"),
    [
        ("sweep", "new(1)\nnew(2)\n", "new(1)\nnew(2)"),
        ("sweep", "new(1)\nnew(2<|cursor|>)<|file_sep|>original/b.py", "new(1)\nnew(2)"),
        ("sweep", "new(1)\n<|fim_middle|>new(2)", "old"),  # a mark of another format
        ("sweep", "", "old"),
        ("sweep", "<|endoftext|>", "old"),
        ("zeta-2", "new(1)\n<|user_cursor|>new(2)\n>>>>>>> UPDATED\n", "new(1)\nnew(2)"),
        ("zeta-2", "NO_EDITS\n", "old"),
        ("zeta-2", "<<<<<<< CURRENT\nnew(1)", "old"),
        ("zeta-2", "a\n=======\nb", "old"),
        ("zeta-2", "a == b  # =======", "a == b  # ======="),  # no line of its own
        ("zeta-2", "new(1)<[fim-suffix]>", "old"),
        ("zeta-2.1", f"<|marker_1|>new(1)\n<|user_cursor|>new(2)\n<|marker_2|>{END}", "new(1)\nnew(2)"),
        ("zeta-2.1", "<|marker_1|><|marker_1|>", "old"),  # nothing to be changed
        ("zeta-2.1", "<|marker_1|>new<|fim_middle|>\n<|marker_2|>", "old"),
        ("zeta-2.1", "<|marker_1|>\n<|marker_2|>", "old"),
        ("mercury", "```python\nnew(1)\nnew(2)\n```", "new(1)\nnew(2)"),
        ("mercury", "new(1)\n<|/code_to_edit|>", "old"),
    ],
)
def test_no_mark_comes_through(form: str, answer: str, expected: str) -> None:
    assert region_formats.read(answer, replace(EDIT, format=form), "old") == expected


@pytest.fixture
def server() -> Iterator[Process]:
    with started("--has", "suffix,edit,chat", module="tests.support.text_server") as process:
        yield process


def engine(process: Process, *answers: str) -> TextEngine:
    urlopen(
        Request(process.url + "/answers", json.dumps(answers).encode(), method="POST"), timeout=10
    ).close()
    found = load(Choice(backend="openai", url=process.url))
    assert isinstance(found, TextEngine)
    return found


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("sweep", "new(1)\nnew(2)\n<|file_sep|>"),
        ("zeta-2", "new(1)\nnew(2)\n>>>>>>> UPDATED"),
        ("zeta-2.1", f"<|marker_1|>new(1)\nnew(2)\n<|marker_2|>{END}"),
        ("mercury", "```\nnew(1)\nnew(2)\n```"),
    ],
)
def test_a_server_is_asked_in_its_format(server: Process, form: str, answer: str) -> None:
    found, _ = run(engine(server, answer), replace(REQUEST, next_edit=replace(EDIT, format=form)))
    assert found.texts == ("new(1)\nnew(2)",)
    asked = json.loads(server.seen()[-1])
    assert asked == region_formats.body(REQUEST, replace(EDIT, format=form), "embedded", 64)


def test_text_with_a_mark_of_its_own_is_not_sent(server: Process) -> None:
    asked = engine(server, "x")
    run(asked, REQUEST)
    count = len(server.seen())
    with pytest.raises(Unfillable, match="mark"):
        run(asked, replace(REQUEST, prefix="x = '<|file_sep|>'\n"))
    assert len(server.seen()) == count


@pytest.mark.parametrize(("form", "start"), [("zeta-2", "\n"), ("zeta-2.1", "x()\n")])
def test_at_the_end_of_a_file_and_without_a_history(form: str, start: str) -> None:
    """A file need not end in a line end, and no edit may be free of secrets."""
    after = "\n" if form == "zeta-2" else "\nx()"
    request = replace(REQUEST, canvas=(Slot(64), Fixed(after)))
    asked = region_formats.body(request, replace(EDIT, format=form, edits=()), "m", 64)["prompt"]
    assert asked.startswith(f"<[fim-suffix]>{start}<[fim-prefix]><filename>a.py\nimport x\n")
