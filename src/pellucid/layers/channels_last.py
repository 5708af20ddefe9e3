"""How the fast layers keep images: (N, H, W, C) in memory, seen by everybody as (N, C, H, W).

All channels of a pixel then lie side by side, which is the order in which matrix products and per-channel sums want
them, and since every fast layer returns its result in this form, none has to shuffle data for the next.
"""

import numpy as np

BLOCK_BYTES = 4 * 2**20
"""Most bytes of windows laid side by side at a time: they should stay in a processor's cache.

Chosen by `benchmarks/block_bytes.py`: 1 to 8 MiB do equally well, 64 MiB takes up to three times as long.
"""


def as_channels_last(x):
    """(N, C, H, W) as a contiguous (N, H, W, C) array; no copy if that is how it lies in memory already."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def pad_channels_last(x, pad):
    """(N, C, H, W) as (N, H + 2 pad, W + 2 pad, C), zeros around each image; no copy where it lies so already."""
    x = x.transpose(0, 2, 3, 1)
    if pad == 0:
        return np.ascontiguousarray(x)
    N, H, W, C = x.shape
    x_pad = np.zeros((N, H + 2 * pad, W + 2 * pad, C), dtype=x.dtype)
    x_pad[:, pad : pad + H, pad : pad + W] = x
    return x_pad


def blocks_of_images(N, bytes_per_image):
    """Slices that cover N images, each of as many images as fit into BLOCK_BYTES, and at least one."""
    step = max(1, BLOCK_BYTES // bytes_per_image)
    return [slice(start, min(start + step, N)) for start in range(0, N, step)]
