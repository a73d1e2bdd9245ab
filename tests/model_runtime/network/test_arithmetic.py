"""Products as int8 beside the same in fp32: how far they may be apart, and what they do not depend on."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model_runtime.diffusion.faults import ModelError
from model_runtime.loading import model
from model_runtime.loading.checkpoint import EMBEDDED_FOLDER
from model_runtime.network import arithmetic, quantized_layers
from model_runtime.network.arithmetic import FLOAT32, INT8, LARGEST, FineInt8Matrix, matrix
from model_runtime.protocol import Choice

needs_int8 = pytest.mark.skipif(arithmetic.best() != INT8, reason="no fast product of bytes on this CPU")

SHAPES = [  # rows, in, out: those of the embedded network, with the fewest and the most rows of a keystroke
    *((rows, 256, 512) for rows in (1, 33, 96, 256)),
    *((rows, inner, outer) for rows in (1, 96) for inner, outer in ((256, 1024), (512, 256), (256, 6144))),
]


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@needs_int8
@pytest.mark.parametrize(("rows", "inner", "outer"), SHAPES)
def test_int8_is_as_near_to_fp32_as_its_rounding_allows(rows: int, inner: int, outer: int) -> None:
    """The weights are rounded beforehand, as those of the file are; then only a row's own rounding is left,
    at most half a step of each value."""
    weight = values(outer, inner, seed=1)
    exact = torch.round(weight / weight.abs().amax(1, keepdim=True) * 127) * (
        weight.abs().amax(1, keepdim=True) / 127
    )
    given = values(rows, inner) * torch.logspace(-3, 3, rows)[:, None]  # rows of very different sizes
    found, expected = matrix(exact, INT8)(given), matrix(exact, FLOAT32)(given)
    step = given.abs().amax(1, keepdim=True) / LARGEST
    assert ((found - expected).abs() <= 0.5001 * step * exact.abs().sum(1)).all()
    error = (found - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.max() < 0.03


@needs_int8
def test_sums_of_the_largest_products_are_exact() -> None:
    """On a CPU with AVX2 but without VNNI a byte's products are added in 16 bits, which would overflow with
    larger values."""
    weight, given = torch.full((64, 256), 127.0), torch.full((3, 256), float(LARGEST))
    torch.testing.assert_close(matrix(weight, INT8)(given), matrix(weight, FLOAT32)(given))
    torch.testing.assert_close(matrix(weight, INT8)(-given), matrix(weight, FLOAT32)(-given))


@needs_int8
@pytest.mark.parametrize("stands_out", [1.0, 30.0, 1000.0])
def test_values_that_stand_out_do_not_hide_the_others(stands_out: float) -> None:
    """One input is much larger than all others, as in language models. With one product the others are
    lost."""
    small, scale = quantized_layers.pack(values(512, 896, seed=1), INT8)
    given = values(9, 896)
    given[::2, 5] *= stands_out
    fine, wide = FineInt8Matrix.of(small, scale), quantized_layers.unpack(small, scale, torch.float32)
    found, expected = fine(given), given @ wide.T
    assert ((found - expected).norm(dim=1) / expected.norm(dim=1)).max() < 0.05
    assert torch.equal(fine(given[:1])[0], found[0]), "a row does not depend on the others"
    assert fine(given[None]).shape == (1, 9, 512)
    assert fine(torch.full((1, 896), float("nan"))).isnan().all()


@needs_int8
def test_a_row_does_not_depend_on_the_others() -> None:
    """So a prompt has the same keys and values in whatever pieces it is encoded."""
    product, given = matrix(values(512, 256, seed=1), INT8), values(96, 256)
    whole = product(given)
    others = torch.cat([1000 * values(40, 256, seed=2), given[7:8], torch.zeros(1, 256)])
    assert torch.equal(product(others)[40], whole[7])
    assert torch.equal(product(given[7:8])[0], whole[7])
    assert product(torch.zeros(1, 256)).abs().max() == 0
    assert product(torch.full((1, 256), float("nan"))).isnan().all(), "a fault is not hidden"


@pytest.mark.parametrize(
    ("choice", "fast", "expected"),
    [
        (Choice(device="cpu"), True, INT8),
        (Choice(device="cpu"), False, FLOAT32),
        (Choice(device="cpu", dtype="float32"), True, FLOAT32),
        (Choice(device="cpu", dtype="int8"), True, INT8),
        (Choice(device="cpu", dtype="int8"), False, None),
        (Choice(device="cpu", dtype="int8", quantization="int8"), True, None),
    ],
)
def test_what_the_embedded_model_computes_in(
    monkeypatch: pytest.MonkeyPatch, choice: Choice, fast: bool, expected: str | None
) -> None:
    if fast and arithmetic.best() != INT8:
        pytest.skip("no fast product of bytes on this CPU")
    if not fast:
        monkeypatch.setattr(arithmetic, "ENGINE", "none that there is")
    if expected is None:
        with pytest.raises(ModelError, match=r"set infill\.(dtype|quantization) to"):
            model.load(choice)
        return
    loaded = model.load(choice)
    assert loaded.denoiser.dtype == expected
    assert loaded.denoiser.model.arithmetic == expected
    assert type(loaded.denoiser.model.lm_head) is type(matrix(torch.eye(64), expected))


@needs_int8
def test_weights_that_are_multiplied_as_bytes_are_bytes_in_memory() -> None:
    """No fp32 copy is left: all tensors but those that torch has laid out for its product are less than half
    of the file, whose matrices are int8. The largest is the table of tokens."""
    network: Any = model.load(Choice(device="cpu")).denoiser.model
    seen: dict[int, torch.Tensor] = {}
    stack: list[Any] = [network]
    walked: set[int] = set()
    while stack:
        one = stack.pop()
        if id(one) in walked:
            continue
        walked.add(id(one))
        if isinstance(one, torch.Tensor):
            seen[one.untyped_storage().data_ptr()] = one
        elif isinstance(one, (list, tuple)):
            stack += one
        elif isinstance(one, dict):
            stack += one.values()
        elif hasattr(one, "__dict__"):
            stack += vars(one).values()
    held = sum(tensor.untyped_storage().nbytes() for tensor in seen.values())
    assert 0 < held < (EMBEDDED_FOLDER / "model.int8.safetensors").stat().st_size / 2
