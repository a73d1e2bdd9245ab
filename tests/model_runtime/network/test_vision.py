"""Images: the stock encoder's numbers, ids of their own, and files that are no images."""

from __future__ import annotations

import io

import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from model_runtime.diffusion.interface import DenoiseError
from model_runtime.loading import model
from model_runtime.local.denoiser import LocalDenoiser
from model_runtime.local.kv_cache import NoCache, PrefixCache
from model_runtime.prompting.chat_prompt import Chat
from tests.model_runtime.prompting.examples import REWRITE, png
from tests.support import tiny_gemma


def test_an_image_is_shown_as_the_stock_encoder_shows_it(loaded: model.Loaded) -> None:
    from transformers import AutoImageProcessor

    denoiser, stock = loaded.denoiser, loaded.denoiser.model
    processor = AutoImageProcessor.from_pretrained(loaded.folder, backend="pil")
    read = processor(images=[Image.open(io.BytesIO(png("red")))], return_tensors="pt")
    soft = denoiser.see(png("red"))
    assert len(soft) == int(read["num_soft_tokens_per_image"][0])
    before, after = [2, 105, tiny_gemma.BOI], [tiny_gemma.EOI, *range(300, 420)]  # beyond the window
    ids = torch.tensor([[*before, *[tiny_gemma.IMAGE] * len(soft), *after]])
    kind = (ids == tiny_gemma.IMAGE).int()
    encoder = stock.model.encoder
    with torch.no_grad():
        embeds = encoder.get_input_embeddings()(ids)
        features = encoder.get_image_features(
            read["pixel_values"], read["image_position_ids"], return_dict=True
        ).pooler_output
        embeds = embeds.masked_scatter((ids == tiny_gemma.IMAGE)[..., None], features)
        masks = encoder.create_masks_for_generate(
            config=stock.config,
            inputs_embeds=embeds,
            attention_mask=torch.ones_like(ids),
            past_key_values=None,
            position_ids=torch.arange(ids.shape[1])[None],
            mm_token_type_ids=kind,
        )
        expected = encoder.language_model(inputs_embeds=embeds, attention_mask=masks).last_hidden_state[0]
        uncached = LocalDenoiser(stock, denoiser.profile, NoCache())
        uncached._images = denoiser._images
        kv = uncached._encode([2])
        actual = uncached.extend(kv, [*before[1:], *soft, *after])
    torch.testing.assert_close(actual, expected[1:], rtol=1e-4, atol=1e-4)


def test_two_images_are_two_prompts(loaded: model.Loaded, chat: Chat) -> None:
    red, blue = loaded.denoiser.see(png("red")), loaded.denoiser.see(png("blue"))
    assert red == loaded.denoiser.see(png("red"))
    assert set(red).isdisjoint(blue)
    question = chat.ask(replace(REWRITE, image=png("red")), loaded.denoiser)
    at = question.prompt.index(tiny_gemma.BOI)
    assert question.prompt[at + 1 : at + 1 + len(red) + 1] == [*red, tiny_gemma.EOI]
    cache = PrefixCache(10**9)
    denoiser = LocalDenoiser(loaded.denoiser.model, loaded.denoiser.profile, cache)
    denoiser._images = loaded.denoiser._images
    denoiser.prefill(question.prompt)
    other = chat.ask(replace(REWRITE, image=png("blue")), loaded.denoiser)
    assert denoiser.cached(other.prompt) == at + 1


@pytest.mark.parametrize("data", [b"\x89PNG not really", b"", png("red")[:50]])
def test_an_image_that_is_none(loaded: model.Loaded, data: bytes) -> None:
    with pytest.raises(DenoiseError, match="cannot be read"):
        loaded.denoiser.see(data)
