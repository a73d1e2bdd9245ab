from __future__ import annotations

import pytest
import torch

from model_runtime.local.kv_cache import PrefixCache, kv_bytes
from model_runtime.network.forward import KeyValues, LayerKV


def kv(n: int) -> KeyValues:
    values = torch.arange(n, dtype=torch.float32).reshape(1, 1, n, 1)
    return KeyValues([LayerKV(values, -values)])


def test_longest_common_prefix_is_found_and_rolled_back() -> None:
    cache = PrefixCache(1 << 20)
    cache.insert([1, 2, 3, 4], kv(4))
    cache.insert([1, 9, 9], kv(3))
    n, found = cache.match([1, 2, 3, 7, 8])
    assert n == 3
    assert found.layers[0].keys.flatten().tolist() == [0, 1, 2]
    assert cache.match([5])[0] == 0


def test_rolling_back_leaves_the_entry_whole() -> None:
    cache = PrefixCache(1 << 20)
    cache.insert([1, 2, 3, 4], kv(4))
    _, short = cache.match([1, 2])
    short.update(torch.zeros(1, 1, 5, 1), torch.zeros(1, 1, 5, 1), 0)
    assert cache.match([1, 2, 3, 4])[1].layers[0].keys.flatten().tolist() == [0, 1, 2, 3]


def test_an_extended_prompt_replaces_the_shorter_one() -> None:
    cache = PrefixCache(1 << 20)
    cache.insert([1, 2], kv(2))
    cache.insert([1, 2, 3], kv(3))
    assert cache.bytes == kv_bytes(kv(3))


def test_least_recently_used_goes_first() -> None:
    cache = PrefixCache(2 * kv_bytes(kv(4)))
    cache.insert([1] * 4, kv(4))
    cache.insert([2] * 4, kv(4))
    cache.match([1] * 4)
    cache.insert([3] * 4, kv(4))
    assert [cache.match([i] * 4)[0] for i in (1, 2, 3)] == [4, 0, 4]


def test_what_all_prompts_begin_with_is_no_use() -> None:
    """Every prompt begins with the same token, so a miss finds a little of some entry; that one must not
    count as used."""
    cache = PrefixCache(2 * kv_bytes(kv(4)))
    first, second, third = ([0, i, i, i] for i in (1, 2, 3))
    cache.insert(first, kv(4))
    cache.insert(second, kv(4))
    assert cache.match(third)[0] == 1
    cache.insert(third, kv(4))
    assert [cache.match(each)[0] for each in (first, second, third)] == [1, 4, 4]


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 cached positions for 2 tokens"):
        PrefixCache(1).insert([1, 2], kv(3))


def test_a_damaged_entry_is_found() -> None:
    cache = PrefixCache(1 << 20)
    held = kv(3)
    cache.insert([1, 2, 3], held)
    cache.check()
    held.update(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), 0)
    with pytest.raises(ValueError, match="3 tokens holds layers of"):
        cache.check()
