"""Winograd's tiles where 2 x 2 max pooling follows a 3 x 3 convolution.

The image between the two is never in memory, neither forward nor backward: pooling shrinks it to a quarter (and a byte
for each number), and the passes over it are what such a pair of layers costs beside the multiplications.

    pooling_tiles_out        for every tile: 4 x 4 results, pooled to 2 x 2 numbers and their taps
    pooled_tiles_in          for every tile: the 6 x 6 pixels of the upstream gradient, from 4 x 4 windows
    pooled_gradient_tiles    for every tile: the 4 x 4 pixels of the upstream gradient, from 2 x 2 windows

A tile's results must start where a window starts, which they do at multiples of 4; the 6 x 6 pixels that a tile of the
input's gradient sees start one pixel before, so the convolution's padding must be 1. Rows and columns that pooling
dropped are outside of the windows, and count as zero.
"""

from __future__ import annotations

from pellucid.kernels.jit import inner
from pellucid.kernels.pooled_transforms import pool_output, transform_pooled_gradient, transform_pooled_input


@inner
def first_window(tile, down, across):
    """The image that a tile belongs to, and the row and column of its first window."""
    n, r = tile // (down * across), tile % (down * across)
    return n, r // across * 2, r % across * 2


@inner
def pooling_tiles_out(
    m, m0, m_factor, pitch, bias, out, out_taps, H_out, W_out, F, first, tiles, down, across, LANES, spare, own_spare,
    relu,
):  # fmt: skip
    """`winograd.tiles_out`, pooled. out and out_taps flat (N, H_out // 2, W_out // 2, F)."""
    H, W = H_out // 2, W_out // 2
    for t in range(tiles):
        n, y, z = first_window(first + t, down, across)
        target = ((n * H + y) * W + z) * F
        for f in range(0, F, LANES):
            f0 = min(f, F - LANES)
            pool_output(m, m0 + t * pitch + f0, 6 * m_factor, m_factor, out, target + f0, W * F, F,
                        0, H - y, 0, W - z, spare, own_spare, bias, f0, relu, out_taps)  # fmt: skip


@inner
def pooled_tiles_in(x, x_taps, H_out, W_out, C, first, tiles, down, across, LANES, v, v0, v_factor, zero):
    """`winograd.tiles_in` for padding 1. x and x_taps flat (N, H_out // 2, W_out // 2, C)."""
    H, W = H_out // 2, W_out // 2
    for t in range(tiles):
        n, y, z = first_window(first + t, down, across)
        y, z = y - 1, z - 1
        source = ((n * H + y) * W + z) * C
        for c in range(0, C, LANES):
            c0 = min(c, C - LANES)
            transform_pooled_input(x, source + c0, W * C, C, v, v0 + t * C + c0, 6 * v_factor, v_factor,
                                   -y, H - y, -z, W - z, zero, 0, zero, 0, 0, x_taps)  # fmt: skip


@inner
def pooled_gradient_tiles(
    dout, dout_taps, H_out, W_out, F, f_from, f_to, down, across, BLOCK, LANES, first, begin, end, most, d, d0,
    d_factor, zero,
):  # fmt: skip
    """The upstream gradient's half of `winograd.gradient_tiles`."""
    H, W = H_out // 2, W_out // 2
    for t in range(begin, end):
        n, y, z = first_window(first + t, down, across)
        source = ((n * H + y) * W + z) * F + f_from
        for f in range(0, f_to - f_from, LANES):
            target = d0 + (f // BLOCK * most + t) * BLOCK + f % BLOCK
            transform_pooled_gradient(dout, source + f, W * F, F, d, target, 6 * d_factor, d_factor,
                                      0, H - y, 0, W - z, zero, 0, zero, 0, 0, dout_taps)  # fmt: skip
