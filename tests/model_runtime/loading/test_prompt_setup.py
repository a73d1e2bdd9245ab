"""How a checkpoint is prompted, by its own files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model_runtime.diffusion.faults import ModelError
from model_runtime.diffusion.hole_length import CandidateLengths, FillerEnds
from model_runtime.loading import checkpoint, model, prompt_setup
from model_runtime.loading.checkpoint import EMBEDDED_FOLDER
from model_runtime.protocol import Choice
from tests.support import tiny_gemma


def on_cpu(folder: Path, **changes: str) -> Choice:
    return Choice(model=str(folder), device="cpu", **changes)


def load(folder: Path, filler: int | None = None) -> prompt_setup.Prompting:
    return prompt_setup.load(checkpoint.examine(folder, "x"), filler)


def test_a_model_that_nobody_knows_how_to_prompt(tmp_path: Path) -> None:
    folder = tiny_gemma.write(tmp_path)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        model.load(on_cpu(folder))
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    with pytest.raises(ModelError, match=r"chat template in .* cannot be used"):
        model.load(on_cpu(folder))


def test_the_embedded_model_has_no_chat() -> None:
    found = load(EMBEDDED_FOLDER)
    assert found.chat is None
    assert found.tokens.profile.filler == 3


def test_the_tokenizer_says_whether_what_follows_is_in_sight(tmp_path: Path) -> None:
    written = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_bytes())
    for name, known in ((("<s5>", "<s7>"), False), (("<suffix>", "<middle>"), True)):
        shutil.copytree(EMBEDDED_FOLDER, folder := tmp_path / name[0].strip("<>"))
        ids = {5: name[0], 7: name[1]}
        for token in written["added_tokens"]:
            token["content"] = ids.get(token["id"], token["content"])
        vocabulary = {text: at for text, at in written["model"]["vocab"].items() if at not in ids}
        written["model"]["vocab"] = vocabulary | {text: at for at, text in ids.items()}
        (folder / "tokenizer.json").write_text(json.dumps(written))
        order = load(folder).tokens.profile.fim
        assert (order is not None) is known
        assert order is None or (order.suffix, order.middle, order.end) == (5, 7, 1)


def test_a_released_folder_says_it_itself(tmp_path: Path) -> None:
    found = load(tiny_gemma.write(tmp_path, steps=7))
    profile = found.tokens.profile
    assert found.chat
    assert (profile.canvas, profile.bos, profile.end) == (tiny_gemma.CANVAS, (2,), 0)
    assert profile.answer
    assert profile.answer.max_steps == 7
    assert profile.special == frozenset(tiny_gemma.SPECIAL.values())
    assert isinstance(profile.length, CandidateLengths)
    assert found.tokens.decode(found.tokens.encode("<turn|>")) == "<turn|>"  # text, not the special id


@pytest.mark.parametrize(("given", "exported", "expected"), [(None, 7, 7), (9, 7, 9), (9, None, 9)])
def test_a_filler_comes_from_the_adapter_or_the_folder(
    tmp_path: Path, given: int | None, exported: int | None, expected: int
) -> None:
    folder = tiny_gemma.write(tmp_path)
    if exported is not None:
        (folder / "infill.json").write_text(json.dumps({"filler": exported}))
    profile = load(folder, given).tokens.profile
    assert (profile.filler, profile.length) == (expected, FillerEnds(expected))


@pytest.mark.parametrize(("context", "expected"), [(500, 500), (10**6, 8192)])
def test_prompts_may_be_made_shorter(tmp_path: Path, context: int, expected: int) -> None:
    found = load(tiny_gemma.write(tmp_path)).within(context)
    assert found.chat
    assert found.tokens.profile.context == found.chat.tokens.profile.context == expected


def test_a_damaged_tokenizer_is_a_one_line_error(tmp_path: Path) -> None:
    folder = tiny_gemma.write(tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer.json is damaged: .*; copy it again"):
        load(folder)
