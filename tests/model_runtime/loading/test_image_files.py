"""Image files read by a checkpoint's own processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_runtime.loading import image_files
from model_runtime.network.vision import Reader
from tests.model_runtime.prompting.examples import png


def reader(folder: Path) -> Reader:
    found = image_files.reader(folder)
    assert found
    return found


def test_an_image_becomes_patches_and_their_places(gemma_folder: Path) -> None:
    read = reader(gemma_folder)
    red, blue = read(png("red")), read(png("blue"))
    assert red["pixel_values"].shape[:2] == red["image_position_ids"].shape[:2]
    assert red["pixel_values"].shape == blue["pixel_values"].shape
    assert not red["pixel_values"].equal(blue["pixel_values"])


@pytest.mark.parametrize("data", [b"", b"GIF89a", png("red")[:40]])
def test_what_is_no_image(gemma_folder: Path, data: bytes) -> None:
    with pytest.raises((ValueError, OSError, SyntaxError)):
        reader(gemma_folder)(data)


def test_a_folder_without_a_processor(tmp_path: Path) -> None:
    assert image_files.reader(tmp_path) is None
