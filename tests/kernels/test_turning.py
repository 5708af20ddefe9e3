"""Images from channels-last to channels-first and back, for sizes on both sides of every block of vectors."""

import numpy as np
import pytest

from pellucid.layers.channels_last import as_channels_last, contiguous

SIZES = [(50, 4, 4, 32), (3, 5, 7, 3), (2, 17, 1, 33), (1, 4, 4, 16), (4, 3, 3, 50), (1, 1, 1, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_there_and_back(size, dtype):
    last = (100 * np.random.default_rng(0).random(size)).astype(dtype)
    seen = last.transpose(0, 3, 1, 2)
    first = contiguous(seen)
    assert first.flags.c_contiguous
    assert first.dtype == dtype
    assert np.array_equal(first, seen)
    back = as_channels_last(first)
    assert back.flags.c_contiguous
    assert np.array_equal(back, last)


def test_what_is_contiguous_is_not_copied():
    x = np.zeros((2, 3, 4, 5), np.float32)
    assert contiguous(x) is x
    assert np.shares_memory(as_channels_last(x.transpose(0, 3, 1, 2)), x)


def test_any_other_order_is_copied_too():
    x = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    for order in [(1, 0, 2, 3), (3, 2, 1, 0), (0, 1, 3, 2)]:
        assert np.array_equal(contiguous(x.transpose(order)), np.ascontiguousarray(x.transpose(order)))
