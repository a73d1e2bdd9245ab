"""Loading the open infillers: their files, their ids, their weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import checkpoint, infiller_model
from model_runtime.network import arithmetic, backbone, memory_budget
from model_runtime.network.forward import KeyValues
from model_runtime.prompting import infillers
from model_runtime.prompting.infillers import A2D, DREAMON, OPEN_DCODER
from model_runtime.protocol import Choice
from tests.support import tiny_infiller


@pytest.fixture(scope="module")
def dreamon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_infiller.write(tmp_path_factory.mktemp("dreamon"), DREAMON)


@pytest.fixture
def broken(dreamon: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(dreamon, tmp_path / "copy"))


def choice(folder: Path, **changes: str) -> Choice:
    return Choice(model=str(folder), device="cpu", **changes)


def change(folder: Path, **fields: object) -> None:
    said = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(said | fields))


def test_the_types_are_those_of_the_records() -> None:
    assert checkpoint.INFILLER_TYPES == infillers.MODEL_TYPES


def test_the_weights_are_the_files(dreamon: Path) -> None:
    """Sharded; every tensor has its value, and remote code that config.json names is not run."""
    assert infiller_model.suits(choice(dreamon))
    loaded = infiller_model.load(choice(dreamon))
    assert loaded.denoiser.record is DREAMON
    expected = tiny_infiller.model().state_dict()
    assert len(checkpoint.examine(dreamon, "x").files) > 1
    for name, value in loaded.denoiser.model.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)
    assert not any(layer.self_attn.is_causal for layer in loaded.denoiser.model.model.layers)
    assert loaded.denoiser.model.config.rope_parameters["rope_theta"] == 1e4


def test_exact_passes_and_the_authors_schedule_where_that_is_chosen(dreamon: Path) -> None:
    kept, exact = (infiller_model.load(choice(dreamon, passes=how)).denoiser for how in ("kept", "exact"))
    assert (kept.around is None, exact.around is None) == (False, True)
    assert kept.profile.policy == DREAMON.policy()
    assert exact.profile.policy == DREAMON.policy(exact=True)


@pytest.mark.parametrize("kind", ["none", "int8", "int4"])
def test_tied_and_packed(tmp_path: Path, kind: str) -> None:
    """A head that is the table of tokens stays so, packed or not; logits stay near those of the whole
    weights."""
    folder = tiny_infiller.write(tmp_path, OPEN_DCODER, tied=True)
    found = checkpoint.examine(folder, "x")
    model = infiller_model.weights(found, OPEN_DCODER, torch.device("cpu"), torch.float32, kind)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.lm_head.weight.dtype == (torch.int8 if kind == "int4" else torch.float32)
    gate = model.model.layers[0].mlp.gate_proj.weight
    assert gate.dtype == {"none": torch.float32, "int8": torch.int8, "int4": torch.uint8}[kind]
    packed = sum(p.numel() * p.element_size() for p in model.parameters()) - (
        0 if kind == "int4" else model.lm_head.weight.numel() * 4
    )
    counted = memory_budget.weight_bytes(found.weights(), "float32", kind)
    assert counted >= packed
    ids = torch.tensor([[5, 9, 31, 2, 17]])
    stock = tiny_infiller.model(tied=True)
    with torch.no_grad():
        # Whatever comes before the head, as the stock class computes it.
        hidden = stock.model(ids)[0]
        expected = stock.lm_head(hidden)
        off = (model.lm_head(hidden) - expected).abs().mean() / expected.abs().mean()
    assert off < (0.01 if kind == "int4" else 1e-6)


@pytest.mark.skipif(arithmetic.best() != arithmetic.INT8, reason="no fast product of bytes on this CPU")
@pytest.mark.parametrize("tied", [True, False])
def test_int8_is_multiplied_as_bytes(tmp_path: Path, tied: bool) -> None:
    """No matrix but the table of tokens is left in fp32, and logits stay near those of widened weights, for
    which one asks with a dtype."""
    folder = tiny_infiller.write(tmp_path, OPEN_DCODER, tied=tied)
    asked = choice(folder, quantization="int8")
    fast = infiller_model.load(asked).denoiser
    wide = infiller_model.load(msgspec.structs.replace(asked, dtype="float32")).denoiser
    assert [n for n, p in fast.model.named_parameters() if p.ndim > 1] == ["model.embed_tokens.weight"]
    ids, seen = torch.tensor([[5, 9, 31, 2, 17]]), torch.ones(1, 1, 5, 5, dtype=torch.bool)
    with torch.inference_mode():
        found, expected = (
            backbone.logits(m, backbone.run(m, ids, torch.arange(5)[None], seen, KeyValues()))
            for m in (fast.model, wide.model)
        )
    assert (fast.dtype, wide.dtype) == ("int8", "float32"), "as `worker status` tells it"
    assert 0 < (found - expected).norm() / expected.norm() < 0.1


def test_llama_layers_load_too(tmp_path: Path) -> None:
    record = replace(A2D, backbone="llama")
    folder = tiny_infiller.write(tmp_path, record)
    found = checkpoint.examine(folder, "x")
    model = infiller_model.weights(found, record, torch.device("cpu"), torch.float32, "none")
    assert type(model).__name__ == "LlamaForCausalLM"
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, tiny_infiller.model("llama").state_dict()[name], msg=name)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mask_token_id": 5}, "config.json names 5 as the mask, .* has 151666"),
        ({"model_type": "qwen2"}, "has the token <M> as id 151665, but the tokenizer has '<|beginoftext|>'"),
        ({"hidden_size": 32}, r"has the shape \(\d+, 16\), not \(\d+, 32\)"),
        ({"num_hidden_layers": 3}, r"lacks model.layers.2.\S+; copy the model again"),
        ({"hidden_size": "wide"}, "config.json is not usable"),
        ({"hidden_act": "nonsense"}, "config.json is not usable"),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            r"comes quantised \(gptq\), which is not supported",
        ),
    ],
)
def test_what_does_not_fit_is_refused(broken: Path, fields: dict[str, object], reason: str) -> None:
    change(broken, **fields)
    with pytest.raises(ModelError, match=reason.replace("<|", "<.").replace("|>", ".>")):
        infiller_model.load(choice(broken))


def test_a_dtype_that_only_the_embedded_model_has_is_refused(dreamon: Path) -> None:
    with pytest.raises(ModelError, match=r"set infill\.quantization to int8 and infill\.dtype to auto"):
        infiller_model.load(choice(dreamon, dtype="int8"))


def test_pickles_and_half_downloads_are_refused(broken: Path) -> None:
    shard = next(broken.glob("*.safetensors"))
    shard.rename(shard.with_suffix(".bin"))
    with pytest.raises(ModelError, match="lacks model-0"):
        infiller_model.load(choice(broken))
    (broken / checkpoint.INDEX_FILE).unlink()
    with pytest.raises(ModelError, match="pickled weights, which may run code"):
        infiller_model.load(choice(broken))
    (broken / "merges.txt").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        infiller_model.load(choice(broken))


def test_it_is_looked_at_first_whether_it_fits(dreamon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infiller_model, "free_bytes", lambda device: 10_000_000)
    monkeypatch.setattr(infiller_model, "weights", lambda *args: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match="and even as int4 it needs"):
        infiller_model.load(choice(dreamon))


def test_other_models_are_not_taken_for_one(gemma_folder: Path) -> None:
    assert not infiller_model.suits(choice(gemma_folder))
    assert not infiller_model.suits(Choice())
