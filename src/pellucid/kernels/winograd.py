"""Winograd convolution, stride 1: four times fewer multiplications for 3 x 3 filters, 2.8 times for 5 x 5.

Forward, and the gradient for the input, in words (`winograd_sweep`):

    for every chunk of tiles (4 x 4 results each; 2 x 2 for 5 x 5 filters):  <- shared out between threads
        for every tile, every vector of channels: transform 6 x 6 pixels -> v[e, tile, c], e = 0 .. 35
        for every e: the product v[e] @ u[e] -> m[e, tile, f]
        for every tile, every vector of filters: transform m[:, tile, f] -> 4 x 4 results, plus the bias

The chunk is small enough for v and m to stay in the second-level cache. The gradient for the filters:

    for every chunk of tiles:                                            <- shared out between threads
        transform the pixels -> v[e, tile, c], and the upstream gradients -> d[e, tile, f]
        for every e: sums[e] += v[e].T @ d[e]
    afterwards: the threads' sums added, and transformed -> 3 x 3 gradients

Tiles at the border see zeros outside of the image and drop the results outside of it, without a copy. The last vector
of channels overlaps the one before where the count is not a multiple of the lanes.

What was tried on two cores with AVX-512, milliseconds for 64 images (64, 32, 32) -> 64 / (256, 8, 8) -> 256 filters:

    forward: 8 x 2 register tiles 5.3 / 5.1, 6 x 4: 4.7 / 4.9
    planes a power of two apart 4.9 / 5.0, five cache lines more 4.6 / 4.9 (filter gradient 6.3 / 5.9, 5.7 / 4.9)
    chunks of 24, 48, 128, 240 tiles: 4.7, 4.6, 5.3, 5.9 / 6.2, 6.0, 4.9, 4.9
    filter gradient: sums of their own for each thread 5.7 / 7.1, one copy for all 6.9 / 4.9
    6 x 4 tiles in the filter gradient 1.02 to 1.17 of 8 x 2; products that start without reading zeros 1.03
    filters in runs of 128 channels, so that they stay in the first-level cache: 0.93 to 1.05, left out
    asking for the next planes, pixels or results ahead (prefetch): 0.92 to 1.03, left out
    results past the caches (non-temporal stores): 1.02, and the reader after it 0.96, left out
    filter gradients, 500 x 64 -> 256: tiles shared out 51 ms; filters, with sums that stay in the cache, 40 to 45
    2 x 2 pooling in registers (`winograd_pool`): 1.08 for a whole training step of the 94 % network

Rounding: the transforms multiply by up to 5 * 5 and back, which costs about one decimal digit (see `tolerances`).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.processor import ROWS, WIDE_ROWS
from pellucid.kernels.product import every, fresh_product, fresh_wide_product, product, wide_product
from pellucid.kernels.transforms import (
    transform_filter,
    transform_filter_5,
    transform_gradient,
    transform_gradient_5,
    transform_gradient_output,
    transform_gradient_output_5,
    transform_input,
    transform_output,
    transform_output_5,
)
from pellucid.kernels.winograd_pool import pooled_gradient_tiles, pooled_tiles_in, pooling_tiles_out

MOST_ROWS = max(ROWS, WIDE_ROWS)
APART = 80
"""Numbers left free between the 36 planes of an array of factors, five cache lines. The planes of usual sizes would
start a power of two apart, and the 36 places that a transform steps through would share a few places of the cache."""
TOGETHER = 8
"""Channels whose filters are gathered at a time, so that whole cache lines of weights are used."""


@kernel
def transform_filters(w, u, taps, K, k_step, J, j_step, BLOCK, LANES, zero, parts):
    """w flat -> u flat (36, blocks of J, K, BLOCK). taps: the order of the 9 or 25 weights of a filter; K, J as in
    `packing`."""
    for part in prange(parts):
        transform_filters_share(w, u, taps, K, k_step, J, j_step, BLOCK, LANES, zero, part, parts)


@inner
def transform_filters_share(w, u, taps, K, k_step, J, j_step, BLOCK, LANES, zero, part, parts):
    blocks = (J + BLOCK - 1) // BLOCK
    factor = blocks * K * BLOCK + APART
    T = taps.size
    gathered = np.zeros(TOGETHER * T * BLOCK, w.dtype)
    runs = (K + TOGETHER - 1) // TOGETHER
    for item in range(blocks * runs * part // parts, blocks * runs * (part + 1) // parts):
        q, k0 = item // runs, item % runs * TOGETHER
        filters, together = min(BLOCK, J - q * BLOCK), min(TOGETHER, K - k0)
        gather_filters(w, q * BLOCK * j_step + k0 * k_step, taps, together, k_step, filters, j_step, gathered, BLOCK)
        for k in range(together):
            for j in range(0, BLOCK, LANES):
                source, target = k * T * BLOCK + j, (q * K + k0 + k) * BLOCK + j
                if T == 9:
                    transform_filter(gathered, source, 3 * BLOCK, BLOCK, u, target, 6 * factor, factor,
                                     0, 0, 0, 0, zero, 0, zero, 0, 0)  # fmt: skip
                else:
                    transform_filter_5(gathered, source, 5 * BLOCK, BLOCK, u, target, 6 * factor, factor,
                                       0, 0, 0, 0, zero, 0, zero, 0, 0)  # fmt: skip


@inner
def gather_filters(w, start, taps, K, k_step, J, j_step, gathered, BLOCK):
    """gathered[k, tap, j], read in the order in which the weights lie; zeros beyond J filters.

    Where the channels of a filter lie side by side, ``taps`` are 0, 1, 2, ...: a run of weights is a column as it is.
    """
    T = taps.size
    if k_step < j_step:
        for j in range(J):
            source, column = w[start + j * j_step : start + j * j_step + K * T], gathered[j::BLOCK]
            for i in range(K * T):
                column[i] = source[i]
    else:
        for k in range(K):
            for t in range(T):
                first = start + k * k_step + taps[t]
                source, row = w[first : first + (J - 1) * j_step + 1 : j_step], gathered[(k * T + t) * BLOCK :]
                for j in range(J):
                    row[j] = source[j]
    for row in range(K * T):
        for j in range(J, BLOCK):
            gathered[row * BLOCK + j] = 0


@kernel
def winograd_sweep(
    x, x_taps, N, H, W, C, u, bias, BLOCK, wide, LANES, taps, out, out_taps, H_out, W_out, F, pad, results, tile_rows,
    v, m, zero, spare, relu, parts,
):  # fmt: skip
    """x flat (N, H, W, C); u flat (36, blocks, C, BLOCK); bias (F,); out flat (N, H_out, W_out, F).

    Where x_taps is not empty, x and x_taps are a gradient and taps that 2 x 2 pooling left of such an image; where
    out_taps is not empty, out and out_taps get what pooling leaves of the result.

    v flat (parts, 36, tiles of a chunk, C), m flat (parts, 36, tiles, blocks * BLOCK), spare (parts, LANES): scratch;
    taps: one zero; zero: a block of zeros; wide: BLOCK is that of a wide register tile.
    """
    for part in prange(parts):
        winograd_share(x, x_taps, N, H, W, C, u, bias, BLOCK, wide, LANES, taps, out, out_taps, H_out, W_out, F, pad,
                       results, tile_rows, v, m, zero, spare, relu, part, parts)  # fmt: skip


@inner
def winograd_share(
    x, x_taps, N, H, W, C, u, bias, BLOCK, wide, LANES, taps, out, out_taps, H_out, W_out, F, pad, results, tile_rows,
    v, m, zero, spare, relu, part, parts,
):  # fmt: skip
    down, across = (H_out + results - 1) // results, (W_out + results - 1) // results
    chunks = (N * down + tile_rows - 1) // tile_rows
    most = tile_rows * across
    blocks = (F + BLOCK - 1) // BLOCK
    pitch = blocks * BLOCK
    v0, m0 = part * (v.size // parts), part * (m.size // parts)
    own_spare = part * LANES
    for chunk in range(chunks * part // parts, chunks * (part + 1) // parts):
        first = chunk * tile_rows * across
        tiles = min(most, N * down * across - first)
        if x_taps.size:
            pooled_tiles_in(x, x_taps, H, W, C, first, tiles, down, across, LANES, v, v0, most * C + APART, zero)
        else:
            tiles_in(
                x, H, W, C, first, tiles, down, across, pad, results, LANES, v, v0, most * C + APART, C, LANES, zero
            )
        multiply(v, v0, u, m, m0, C, F, BLOCK, wide, taps, tiles, most)
        if out_taps.size:
            pooling_tiles_out(
                m, m0, most * pitch + APART, pitch, bias, out, out_taps, H_out, W_out, F, first, tiles, down, across,
                LANES, spare, own_spare, relu,
            )  # fmt: skip
        else:
            tiles_out(
                m, m0, most * pitch + APART, pitch, bias, out, H_out, W_out, F, first, tiles, down, across, results,
                LANES, spare, own_spare, relu,
            )  # fmt: skip


@inner
def multiply(v, v0, u, m, m0, C, F, BLOCK, wide, taps, tiles, most):
    """m[e] = v[e] @ u[e] for every e. A block of filters fills a wide register tile, or one of the usual form."""
    blocks = (F + BLOCK - 1) // BLOCK
    pitch = blocks * BLOCK
    source_rows, rows = every(C, MOST_ROWS), every(pitch, MOST_ROWS)
    for e in range(36):
        for q in range(blocks):
            panel = e * (blocks * C * BLOCK + APART) + q * C * BLOCK
            for t in range(0, tiles, WIDE_ROWS if wide else ROWS):
                source = v0 + e * (most * C + APART) + t * C
                target = m0 + e * (most * pitch + APART) + t * pitch + q * BLOCK
                if wide:
                    fresh_wide_product(v, source, source_rows, taps, 1, u, panel, 0, BLOCK, v, 0, rows, m, target, rows,
                                       0, 1, C, min(WIDE_ROWS, tiles - t), BLOCK)  # fmt: skip
                else:
                    fresh_product(v, source, source_rows, taps, 1, u, panel, 0, BLOCK, v, 0, rows, m, target, rows,
                                  0, 1, C, min(ROWS, tiles - t), BLOCK)  # fmt: skip


@inner
def tiles_in(x, H, W, C, first, tiles, down, across, pad, results, LANES, v, v0, v_factor, v_tile, v_group, zero):
    """Transform the pixels that a run of tiles sees. v_factor, v_tile, v_group: steps to the next e, tile, vector."""
    for t in range(tiles):
        n, r = (first + t) // (down * across), (first + t) % (down * across)
        y, z = r // across * results - pad, r % across * results - pad
        source = ((n * H + y) * W + z) * C
        for c in range(0, C, LANES):
            c0 = min(c, C - LANES)
            target = v0 + t * v_tile + (c0 if v_group == LANES else c // LANES * v_group)
            transform_input(x, source + c0, W * C, C, v, target, 6 * v_factor, v_factor,
                            -y, H - y, -z, W - z, zero, 0, zero, 0, 0)  # fmt: skip


@inner
def tiles_out(
    m, m0, m_factor, pitch, bias, out, H_out, W_out, F, first, tiles, down, across, results, LANES, spare, own_spare,
    relu,
):  # fmt: skip
    """Transform products into results."""
    for t in range(tiles):
        n, r = (first + t) // (down * across), (first + t) % (down * across)
        y, z = r // across * results, r % across * results
        target = ((n * H_out + y) * W_out + z) * F
        for f in range(0, F, LANES):
            f0 = min(f, F - LANES)
            source = m0 + t * pitch + f0
            if results == 4:
                transform_output(m, source, 6 * m_factor, m_factor, out, target + f0, W_out * F, F,
                                 0, H_out - y, 0, W_out - z, spare, own_spare, bias, f0, relu)  # fmt: skip
            else:
                transform_output_5(m, source, 6 * m_factor, m_factor, out, target + f0, W_out * F, F,
                                   0, H_out - y, 0, W_out - z, spare, own_spare, bias, f0, relu)  # fmt: skip


@kernel
def winograd_filter_gradient(
    x, N, H, W, C, dout, dout_taps, H_out, W_out, F, pad, results, BLOCK, wide, LANES, taps, tile_rows, v, d, sums,
    F_part, copies, zero, parts,
):  # fmt: skip
    """sums flat (F / F_part, copies, 36, C, F_part): the products v.T @ d; one kernel does all.

    Every item of work is some of the filters, and one of ``copies`` shares of the tiles. v flat (parts, 36, C / LANES,
    tiles, LANES) and d flat (parts, 36, F_part / BLOCK, tiles, BLOCK): scratch. dout and dout_taps as x and x_taps of
    a sweep.
    """
    for part in prange(parts):
        gradient_share(x, N, H, W, C, dout, dout_taps, H_out, W_out, F, pad, results, BLOCK, wide, LANES, taps,
                       tile_rows, v, d, sums, F_part, copies, zero, part, parts)  # fmt: skip


@inner
def gradient_share(
    x, N, H, W, C, dout, dout_taps, H_out, W_out, F, pad, results, BLOCK, wide, LANES, taps, tile_rows, v, d, sums,
    F_part, copies, zero, part, parts,
):  # fmt: skip
    down, across = (H_out + results - 1) // results, (W_out + results - 1) // results
    chunks = (N * down + tile_rows - 1) // tile_rows
    most = tile_rows * across
    v0, d0 = part * (v.size // parts), part * (d.size // parts)
    items = (F + F_part - 1) // F_part * copies
    for item in range(items * part // parts, items * (part + 1) // parts):
        f_from, copy = item // copies * F_part, item % copies
        f_to, s0 = min(F, f_from + F_part), item * 36 * (C * F_part + APART)
        begin = chunks * copy // copies
        for chunk in range(begin, chunks * (copy + 1) // copies):
            first = chunk * most
            tiles = min(most, N * down * across - first)
            gradient_tiles(x, H, W, C, dout, dout_taps, H_out, W_out, F, f_from, f_to, F_part, pad, results, BLOCK,
                           LANES, first, 0, tiles, most, v, v0, d, d0, zero)  # fmt: skip
            gradient_products(v, v0, d, d0, C, F_part, BLOCK, wide, LANES, taps, tiles, most, 0, 36, 0, f_to - f_from,
                              chunk == begin, sums, s0, zero)  # fmt: skip


@kernel
def transform_gradient_tiles(
    x, H, W, C, dout, dout_taps, H_out, W_out, F, pad, results, BLOCK, LANES, first, tiles, most, v, d, zero, parts
):  # fmt: skip
    """The first half of a chunk that all threads work on together: v flat (36, ...) and d flat (36, ...)."""
    for part in prange(parts):
        gradient_tiles(x, H, W, C, dout, dout_taps, H_out, W_out, F, 0, F, F, pad, results, BLOCK, LANES, first,
                       tiles * part // parts, tiles * (part + 1) // parts, most, v, 0, d, 0, zero)  # fmt: skip


@kernel
def multiply_gradient_tiles(v, d, C, F, BLOCK, wide, LANES, taps, tiles, most, fresh, sums, zero, parts):
    """The second half: each thread adds to some of the sums (36, C, F), so there is one copy of them."""
    for part in prange(parts):
        multiply_share(v, d, C, F, BLOCK, wide, LANES, taps, tiles, most, fresh, sums, zero, part, parts)


@inner
def multiply_share(v, d, C, F, BLOCK, wide, LANES, taps, tiles, most, fresh, sums, zero, part, parts):
    blocks = (F + BLOCK - 1) // BLOCK
    for item in range(36 * blocks * part // parts, 36 * blocks * (part + 1) // parts):
        e, f = item // blocks, item % blocks * BLOCK
        to = min(f + BLOCK, F)
        gradient_products(
            v, 0, d, 0, C, F, BLOCK, wide, LANES, taps, tiles, most, e, e + 1, f, to, fresh, sums, 0, zero
        )


@inner
def gradient_tiles(
    x, H, W, C, dout, dout_taps, H_out, W_out, F, f_from, f_to, F_part, pad, results, BLOCK, LANES, first, begin, end,
    most, v, v0, d, d0, zero,
):  # fmt: skip
    """Transform tiles ``begin`` to ``end`` of a chunk that starts at tile ``first``: all channels of the pixels, and
    filters ``f_from`` to ``f_to``, at most F_part, of the upstream gradients."""
    down, across = (H_out + results - 1) // results, (W_out + results - 1) // results
    groups, factor = (C + LANES - 1) // LANES, (F_part + BLOCK - 1) // BLOCK * most * BLOCK + APART
    tiles_in(x, H, W, C, first + begin, end - begin, down, across, pad, results, LANES, v, v0 + begin * LANES,
             groups * most * LANES + APART, LANES, most * LANES, zero)  # fmt: skip
    if dout_taps.size:
        pooled_gradient_tiles(dout, dout_taps, H_out, W_out, F, f_from, f_to, down, across, BLOCK, LANES, first, begin,
                              end, most, d, d0, factor, zero)  # fmt: skip
        return
    for t in range(begin, end):
        n, r = (first + t) // (down * across), (first + t) % (down * across)
        y, z = r // across * results, r % across * results
        source = ((n * H_out + y) * W_out + z) * F + f_from
        for f in range(0, f_to - f_from, LANES):
            target = d0 + (f // BLOCK * most + t) * BLOCK + f % BLOCK
            if results == 4:
                transform_gradient(dout, source + f, W_out * F, F, d, target, 6 * factor, factor,
                                   0, H_out - y, 0, W_out - z, zero, 0, zero, 0, 0)  # fmt: skip
            else:
                transform_gradient_5(dout, source + f, W_out * F, F, d, target, 6 * factor, factor,
                                     0, H_out - y, 0, W_out - z, zero, 0, zero, 0, 0)  # fmt: skip


@inner
def gradient_products(
    v, v0, d, d0, C, F, BLOCK, wide, LANES, taps, tiles, most, e_from, e_to, f_from, f_to, fresh, sums, s0, zero
):  # fmt: skip
    """sums[e, c, f] += sum over tiles of v[e, c, tile] * d[e, f, tile]; ``fresh`` sums start at zero."""
    groups, blocks = (C + LANES - 1) // LANES, (F + BLOCK - 1) // BLOCK
    below, nowhere = every(F, C), every(0, C)
    channels = np.empty(C, np.int64)  # where each channel's factors start: the last vector overlaps the one before
    for c in range(C):
        group = c // LANES
        channels[c] = group * most * LANES + c - min(group * LANES, C - LANES)
    for e in range(e_from, e_to):
        source = v0 + e * (groups * most * LANES + APART)
        for f in range(f_from, f_to, BLOCK):
            panel = d0 + e * (blocks * most * BLOCK + APART) + f // BLOCK * most * BLOCK
            for c in range(0, C, WIDE_ROWS if wide else ROWS):
                target = s0 + e * (C * F + APART) + f
                if wide:
                    wide_product(v, source, channels, taps, LANES, d, panel, 0, BLOCK,
                                 zero if fresh else sums, 0 if fresh else target, nowhere if fresh else below,
                                 sums, target, below, c, 1, tiles, min(WIDE_ROWS, C - c), BLOCK)  # fmt: skip
                else:
                    product(v, source, channels, taps, LANES, d, panel, 0, BLOCK,
                            zero if fresh else sums, 0 if fresh else target, nowhere if fresh else below,
                            sums, target, below, c, 1, tiles, min(ROWS, C - c), min(BLOCK, F - f))  # fmt: skip


@kernel
def finish_filter_gradient(sums, copies, C, F, F_part, size, LANES, dw, zero, parts):
    """sums flat (F / F_part, copies, 36, C, F_part), added over copies -> dw flat (F, C, size, size)."""
    for part in prange(parts):
        finish_gradient_share(sums, copies, C, F, F_part, size, LANES, dw, zero, part, parts)


@inner
def finish_gradient_share(sums, copies, C, F, F_part, size, LANES, dw, zero, part, parts):
    plane = C * F_part + APART
    tile = np.empty(size * size * LANES, sums.dtype)
    for c in range(C * part // parts, C * (part + 1) // parts):
        for f in range(
            0, F, LANES
        ):  # the order in which the sums lie; a line of dw stays in the cache for its channels
            start = f // F_part * copies * 36 * plane + c * F_part + f % F_part
            for copy in range(1, copies):
                for e in range(36):
                    for k in range(start + e * plane, start + e * plane + LANES):
                        sums[k] += sums[copy * 36 * plane + k]
            if size == 3:
                transform_gradient_output(sums, start, 6 * plane, plane, tile, 0, 3 * LANES, LANES,
                                          0, 0, 0, 0, zero, 0, zero, 0, 0)  # fmt: skip
            else:
                transform_gradient_output_5(sums, start, 6 * plane, plane, tile, 0, 5 * LANES, LANES,
                                            0, 0, 0, 0, zero, 0, zero, 0, 0)  # fmt: skip
            for lane in range(LANES):
                for tap in range(size * size):
                    dw[((f + lane) * C + c) * size * size + tap] = tile[tap * LANES + lane]
