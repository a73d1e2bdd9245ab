"""A chat template taken apart into ids, and templates that are no good."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model_runtime.diffusion.faults import ModelError
from model_runtime.prompting import chat_template
from model_runtime.prompting.chat_template import Dialogue, Turns
from tests.support import tiny_gemma

CONFIG = {"image_token_id": tiny_gemma.IMAGE, "boi_token_id": tiny_gemma.BOI, "eoi_token_id": tiny_gemma.EOI}
TEMPLATE = "chat_template.jinja"


def load(folder: Path, **generation: object) -> Dialogue:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return chat_template.load(folder, tokenizer, CONFIG, generation)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_gemma.write(tmp_path)


@pytest.mark.parametrize(
    ("image", "given", "expected"),
    [
        (None, (), [1, 2, 9, 3]),
        (1, (70, 71, 72), [1, 70, 71, 72, 9, 3]),
        (0, (), [2, 9, 3]),
    ],
)
def test_a_turn_is_put_together(image: int | None, given: tuple[int, ...], expected: list[int]) -> None:
    assert Turns((1, 2), (3,), image).prompt([9], given) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({TEMPLATE: "x"}, True),
        ({"chat_template.json": "x"}, True),
        ({"tokenizer_config.json": '{"chat_template": "x"}'}, True),
        ({"tokenizer_config.json": "{}"}, False),
        ({"tokenizer_config.json": "{"}, False),
        ({}, False),
    ],
)
def test_who_has_a_template(tmp_path: Path, files: dict[str, str], expected: bool) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert chat_template.has_template(tmp_path) is expected


def test_what_a_template_puts_around_a_message(folder: Path) -> None:
    found = load(folder, eos_token_id=[1, 106, 50])
    assert found.plain.before[:2] == (2, 105)
    assert list(found.plain.after)[-4:] == tiny_gemma.EMPTY_THOUGHT
    assert found.thinking.after[-4:] != found.plain.after[-4:]
    assert 98 in found.thinking.before  # <|think|>
    assert (found.thought_end, found.turn_end, found.ends) == (101, 106, {1, 106, 50})
    assert found.image_marks == (tiny_gemma.BOI, tiny_gemma.EOI)
    for thinking in (False, True):
        turns = found.turns(thinking, image=True)
        assert turns
        assert turns.image is not None
        assert turns.before[turns.image] == tiny_gemma.IMAGE
        assert found.turns(thinking, image=False) is (found.thinking if thinking else found.plain)


def test_a_thought_is_closed_where_the_template_leaves_it_out(folder: Path) -> None:
    template = tiny_gemma.TEMPLATE.replace("{{- '<|channel>thought\\n<channel|>' -}}", "")
    assert template != tiny_gemma.TEMPLATE
    (folder / TEMPLATE).write_text(template)
    assert list(load(folder).plain.after)[-4:] == tiny_gemma.EMPTY_THOUGHT


def test_a_template_without_images(folder: Path) -> None:
    (folder / TEMPLATE).write_text("{{ bos_token }}{{ messages[0]['content'] | trim }}")
    found = load(folder, eos_token_id=1)
    assert found.turns(False, image=True) is None
    assert found.turns(True, image=True) is None
    assert found.ends == {1, 106}


def test_without_transformers_it_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        ModelError, match=r"chat template needs transformers, not installed here; run `.* install"
    ):
        load(folder)


def rename_turn_end(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_bytes())).replace('"<turn|>"', '"<end|>"'))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / TEMPLATE).write_text("nothing"), "the template leaves out what the user says"),
        (lambda f: (f / TEMPLATE).write_text("{{ raise_exception('no') }}"), "cannot be used: no"),
        (rename_turn_end, r"has no <turn\|>: it is not DiffusionGemma's"),
    ],
)
def test_what_is_no_good_is_a_one_line_error(
    folder: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=says) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
