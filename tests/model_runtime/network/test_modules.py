"""The network without transformers: the same numbers as the stock class, and refused where it is another."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import model
from model_runtime.loading.checkpoint import EMBEDDED_FOLDER
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.network import forward, modules
from model_runtime.protocol import Choice
from tests.support.paths import ROOT

CONFIG = json.loads((EMBEDDED_FOLDER / "config.json").read_bytes())
EMBEDDED = Choice(device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def both() -> tuple[LocalDenoiser, LocalDenoiser]:
    own, stock = model.load(EMBEDDED).denoiser, model.load(EMBEDDED, stock=True).denoiser
    assert isinstance(own.model, modules.Network)
    assert not isinstance(stock.model, modules.Network)
    return own, stock


def random_ids(*shape: int) -> torch.Tensor:
    return torch.randint(8, 6000, shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("prefix", [1, 255, 400])  # around the sliding window of 256
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (3, 20)])
def test_results_are_those_of_the_stock_class(
    both: tuple[LocalDenoiser, LocalDenoiser], prefix: int, rows: int, width: int
) -> None:
    prompt, canvas = random_ids(prefix).tolist(), random_ids(rows, width)
    found = []
    for denoiser in both:
        with torch.inference_mode():
            kv = denoiser._encode(prompt)
            view = denoiser._canvas_view(kv, rows, width)
            signal = forward.embed(denoiser.model, canvas)
            where = torch.arange(prefix, prefix + width)[None]
            hidden = forward.decode(denoiser.model, canvas, signal, where, view.masks, view.kv)
            logits = forward.logits(denoiser.model, hidden)
            soft = forward.soft_embed(denoiser.model, logits.softmax(-1))
        found.append([logits, soft, *(t for layer in kv.layers for t in (layer.keys, layer.values))])
    for own, stock in zip(*found, strict=True):
        torch.testing.assert_close(own, stock, rtol=1e-4, atol=1e-5)


def changed(name: str, value: Any) -> dict[str, Any]:
    return {**CONFIG, "text_config": {**CONFIG["text_config"], name: value}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attention_bias", True),
        ("hidden_activation", "silu"),
        ("top_k_experts", 1),
        ("per_layer_config", {"3": {"head_dim": 512}}),
        ("use_bidirectional_attention", "vision"),
        ("layer_types", ["sliding_attention"] * 8),
        ("rope_parameters", None),
        ("rope_parameters", {"full_attention": {"rope_type": "yarn", "rope_theta": 1.0}}),
        ("something_new", 1),
    ],
)
def test_what_it_does_not_compute_is_left_to_the_stock_class(name: str, value: Any) -> None:
    assert modules.suits(CONFIG)
    assert not modules.suits(changed(name, value))


def test_a_configuration_without_a_text_model_does_not_suit() -> None:
    assert not modules.suits({})


@pytest.mark.parametrize("wrong", ["missing", "shape"])
def test_weights_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    weights = dict(model.int8_file.load(EMBEDDED_FOLDER))
    name = "model.encoder.language_model.layers.0.mlp.up_proj.weight"
    if wrong == "missing":
        del weights[name]
    else:
        weights[name] = weights[name][1:]
    monkeypatch.setattr(model.int8_file, "load", lambda folder: weights)
    with pytest.raises(ModelError, match="cannot be loaded"):
        model.load(EMBEDDED)


def test_the_embedded_model_fills_without_heavy_imports() -> None:
    """Each of them is tens of megabytes in the worker."""
    code = (
        "import sys; from model_runtime.protocol import Choice; "
        "from model_runtime.inference.engine import load_engine; "
        "load_engine(Choice(device='cpu')); "
        "print([n for n in ('transformers', 'torch._dynamo', 'sympy', 'accelerate') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
