"""Weights as int8: how far off, what is left alone, and that a folder of them is a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import int8_file, model
from model_runtime.loading.checkpoint import EMBEDDED_FOLDER, PACKED_FILE
from model_runtime.network import quantized_layers
from model_runtime.protocol import Choice
from tests.support import tiny


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 6), (1, 1)])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_matrix_is_off_by_at_most_half_a_scale(shape: tuple[int, ...], size: float) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * size
    packed = int8_file.pack({"w": weight})
    assert packed["w"].dtype == torch.int8
    scale = weight.abs().amax(-1, keepdim=True) / 127
    assert bool(((int8_file.Unpacked(packed)["w"] - weight).abs() <= 0.501 * scale).all())


def test_vectors_and_zeros_survive() -> None:
    weights = {"norm": torch.tensor([1.0, 2.5]), "zero": torch.zeros(2, 3)}
    unpacked = int8_file.Unpacked(int8_file.pack(weights))
    assert {name: value.tolist() for name, value in unpacked.items()} == {
        name: value.tolist() for name, value in weights.items()
    }


def test_a_folder_of_int8_loads_as_the_model_it_was(tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    int8_file.save(tiny.model().state_dict(), folder)
    loaded = model.load(Choice(model=str(folder), device="cpu"), stock=True).denoiser.model
    assert loaded.lm_head.weight.data_ptr() == loaded.get_input_embeddings().weight.data_ptr()
    expected = int8_file.Unpacked(int8_file.pack(tiny.model().state_dict()))
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_damaged_int8_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path)
    (folder / PACKED_FILE).write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match="is damaged"):
        model.load(Choice(model=str(folder), device="cpu"))


def test_the_embedded_weights_are_packed_to_the_bytes_that_they_are(tmp_path: Path) -> None:
    """One packer serves the file and the layers: what it makes now is what has been shipped."""
    shipped = (EMBEDDED_FOLDER / PACKED_FILE).read_bytes()
    weights = int8_file.load(EMBEDDED_FOLDER)
    int8_file.save(weights, tmp_path)
    assert (tmp_path / PACKED_FILE).read_bytes() == shipped
    name = next(name for name, weight in weights.items() if weight.ndim == 3)  # experts
    small, scale = quantized_layers.pack_slowly(weights[name], "int8")
    stored = load_file(EMBEDDED_FOLDER / PACKED_FILE)
    assert torch.equal(small, stored[name])
    assert torch.equal(scale, stored[name + ".int8_scale"])
