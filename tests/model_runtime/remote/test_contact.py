"""What an address and a model's name say before any server is asked."""

from __future__ import annotations

import pytest

from model_runtime.remote import contact
from model_runtime.remote.contact import Kind
from model_runtime.remote.wire import Served


@pytest.mark.parametrize(
    ("url", "base", "kind"),
    [
        ("http://h:1", "http://h:1", None),
        ("http://h:1/", "http://h:1", None),
        ("http://h/v1/", "http://h", None),
        ("http://h/api/v1", "http://h/api", None),
        ("http://h/v1/completions", "http://h", "suffix"),
        ("http://h/v1/fim/completions/", "http://h", "fim"),
        ("http://h/api/v1/chat/completions", "http://h/api", "chat"),
    ],
)
def test_split(url: str, base: str, kind: Kind | None) -> None:
    assert contact.split(url) == (base, kind)


@pytest.mark.parametrize(
    ("served", "model", "same"),
    [
        (Served("google/gemma"), "google/gemma", True),
        (Served("RedHatAI/Gemma-FP8-dynamic"), "google/gemma", True),
        (Served("gemma-NVFP4"), "google/gemma-int8", True),
        (Served("gemma.4bit"), "gemma", True),
        (Served("default", root="/models/gemma/"), "google/gemma", True),
        (Served("default", root="C:\\models\\gemma"), "gemma", True),
        (Served("google/gemma-2"), "google/gemma", False),
        (Served("gemma-fp8-tuned"), "gemma", False),
        (Served("default"), "gemma", False),
    ],
)
def test_the_same_model_by_its_name(served: Served, model: str, same: bool) -> None:
    assert contact._same(served, model) == same
