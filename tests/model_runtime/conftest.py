"""A tiny checkpoint with the released one's files, loaded once for all tests of prompts and images.

Imports are late: some tests beside these need no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from model_runtime.loading.model import Loaded
    from model_runtime.loading.prompt_setup import Prompting
    from model_runtime.prompting.chat_prompt import Chat


@pytest.fixture(scope="session")
def gemma_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support import tiny_gemma

    return tiny_gemma.write(tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session")
def loaded(gemma_folder: Path) -> Loaded:
    from model_runtime.loading import model
    from model_runtime.protocol import Choice

    return model.load(Choice(model=str(gemma_folder), device="cpu"))


@pytest.fixture(scope="session")
def prompting(gemma_folder: Path) -> Prompting:
    from model_runtime.loading import checkpoint, prompt_setup

    return prompt_setup.load(checkpoint.examine(gemma_folder, str(gemma_folder)))


@pytest.fixture
def chat(prompting: Prompting) -> Chat:
    from model_runtime.prompting.chat_prompt import Chat

    assert prompting.chat
    return Chat(prompting.tokens, prompting.chat.dialogue)
