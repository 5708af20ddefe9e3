"""Direct convolution: sweeps of the building block over channels-last images.

Forward, and the gradient for the input, in words (`correlate`):

    for every image and every band of result rows:                       <- shared out between threads
        lay the pixels that the band sees into a small buffer, zeros where the window leaves the image
        for every group and every block of filters:
            for every row of the band, and every ROWS pixels of it:
                one product: sum over taps and channels, started at the bias

The band is a copy, but one that stays in the cache and is read by every filter: it costs 1 to 3 % and spares the kernel
every case of an edge. Where the window never leaves the image, the image itself is the band.

The gradient for the filters (`filter_gradient`):

    for every image and every band of result rows:                       <- shared out between threads, each with sums
    of its own
        lay out the band as above
        for every group and every block of filters, every ROWS numbers of all tap rows:
            one product whose sum runs over the pixels of the band, added to the sums

What was tried on AVX-512, GFLOP/s of one thread, 64 images (64, 32, 32) -> 128 filters 3 x 3, stride 2:

    forward          bands laid out by a loop 166, by block moves 187
    filter gradient  dout read where it lies 137, a block of it side by side 154

and (32, 16, 16) -> 64 filters 5 x 5: bands of 256 results 199 forward and 164 for the filters, of 128 results 198 and
187; weights of a block all at once or a panel that fits the first-level cache: no difference beyond the noise.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.lane_memory import load, store
from pellucid.kernels.lanes import lane_count, where
from pellucid.kernels.moves import clear, copy
from pellucid.kernels.processor import ROWS
from pellucid.kernels.product import every, product

BAND_PIXELS = 256
"""Results of one image that are computed from one band."""
GRADIENT_PIXELS = 128
"""The same for the gradient of the filters, which reads the band with long steps: it should fit the first-level
cache."""
PANEL_NUMBERS = 8192
"""Weights of one block of filters that are used together: 32 kB, which the first-level cache keeps for a whole band."""


@inner
def lay_band(x, image, H, W, C, top, left, band, band0, rows, columns):
    """rows x columns pixels from (top, left) of an image into band, zeros outside of the image."""
    inside_from = min(max(-left, 0), columns)
    inside_to = max(min(columns, W - left), inside_from)
    for i in range(rows):
        target = band0 + i * columns * C
        y = top + i
        if y < 0 or y >= H:
            clear(band, target, columns * C)
        else:
            source = image + (y * W + left) * C
            clear(band, target, inside_from * C)
            copy(band, target + inside_from * C, x, source + inside_from * C, (inside_to - inside_from) * C)
            clear(band, target + inside_to * C, (columns - inside_to) * C)


@kernel
def correlate(
    x, N, H, W, C, w, bias, groups, K, BLOCK, taps, out, H_mem, W_mem, F,
    count_h, first_h, start_h, span_h, count_w, first_w, start_w, columns, step, spread,
    bands, band_rows, in_place, splits, relu, parts,
):  # fmt: skip
    """One sweep. x flat (N, H, W, C); w flat (groups, blocks, taps, K, BLOCK); bias flat (groups, blocks, BLOCK);

    out flat (N, H_mem, W_mem, F); bands flat (parts, rows a band sees, columns, C), unused where in_place. splits:
    into how many runs of filter blocks the work on a band is cut, where there are too few bands for all threads;
    relu: whether negative results become zero.
    """
    for part in prange(parts):
        correlate_share(
            x, N, H, W, C, w, bias, groups, K, BLOCK, taps, out, H_mem, W_mem, F,
            count_h, first_h, start_h, span_h, count_w, first_w, start_w, columns, step, spread,
            bands, band_rows, in_place, splits, relu, part, parts,
        )  # fmt: skip


@inner
def correlate_share(
    x, N, H, W, C, w, bias, groups, K, BLOCK, taps, out, H_mem, W_mem, F,
    count_h, first_h, start_h, span_h, count_w, first_w, start_w, columns, step, spread,
    bands, band_rows, in_place, splits, relu, part, parts,
):  # fmt: skip
    band_blocks = (count_h + band_rows - 1) // band_rows
    blocks = groups * ((F // groups + BLOCK - 1) // BLOCK)
    band0 = part * (bands.size // parts)
    pitch = (W if in_place else columns) * C
    places, targets = np.empty(band_rows * count_w, np.int64), np.empty(band_rows * count_w, np.int64)
    for i in range(band_rows):
        for j in range(count_w):
            places[i * count_w + j] = i * step * pitch + j * step * C
            targets[i * count_w + j] = (i * W_mem + j) * spread * F
    items = N * band_blocks * splits
    for item in range(items * part // parts, items * (part + 1) // parts):
        n, i0, split = item // splits // band_blocks, item // splits % band_blocks * band_rows, item % splits
        first_block, last_block = blocks * split // splits, blocks * (split + 1) // splits
        rows = min(band_rows, count_h - i0)
        image = n * H * W * C
        target = ((n * H_mem + first_h + i0 * spread) * W_mem + first_w) * F
        if in_place:
            seen = image + ((start_h + i0 * step) * W + start_w) * C
            correlate_band(x, seen, places, C, w, bias, groups, K, BLOCK, taps, out, target, targets, F,
                           rows * count_w, first_block, last_block, relu)  # fmt: skip
        else:
            lay_band(x, image, H, W, C, start_h + i0 * step, start_w, bands, band0, (rows - 1) * step + span_h, columns)
            correlate_band(bands, band0, places, C, w, bias, groups, K, BLOCK, taps, out, target, targets, F,
                           rows * count_w, first_block, last_block, relu)  # fmt: skip


@inner
def correlate_band(
    a, a0, places, C, w, bias, groups, K, BLOCK, taps, out, out0, targets, F, pixels, first_block, last_block, relu
):  # fmt: skip
    """The results of one band: its filter blocks, a panel of their weights at a time, ROWS pixels at a time."""
    R, C_seen, F_group = taps.size, C // groups, F // groups
    blocks = (F_group + BLOCK - 1) // BLOCK
    at_once = max(1, PANEL_NUMBERS // (K * BLOCK))
    nowhere = np.zeros(pixels, np.int64)  # every row starts at the same bias
    for block in range(first_block, last_block):
        g, f0 = block // blocks, block % blocks * BLOCK
        filters, target = min(BLOCK, F_group - f0), out0 + g * F_group + f0
        for r in range(0, R, at_once):
            some = taps[r : r + at_once]
            for p in range(0, pixels, ROWS):
                product(
                    a, a0 + g * C_seen, places, some, 1,
                    w, (block * R + r) * K * BLOCK, K * BLOCK, BLOCK,
                    bias if r == 0 else out, block * BLOCK if r == 0 else target, nowhere if r == 0 else targets,
                    out, target, targets,
                    p, some.size, K, min(ROWS, pixels - p), filters,
                )  # fmt: skip
        if relu:
            for p in range(pixels):
                cut_negative(out, target + targets[p], filters)


@inner
def cut_negative(out, start, count):
    """ReLU in place; NaN stays NaN."""
    for k in range(0, count, lane_count(out)):
        value = load(out, start + k, count - k)
        store(out, start + k, count - k, where(value < 0, 0, value))


@kernel
def filter_gradient(
    x, N, H, W, C, dout, H_out, W_out, F, groups, K, BLOCK, taps, lines, sums, panels,
    start_h, span_h, start_w, columns, step, bands, band_rows, in_place, parts,
):  # fmt: skip
    """x flat (N, H, W, C); dout flat (N, H_out, W_out, F); sums flat (parts, groups, taps, K, F / groups).

    lines: where the window of each row of a band starts; panels flat (parts, pixels of a band, BLOCK): scratch.
    """
    for part in prange(parts):
        filter_gradient_share(
            x, N, H, W, C, dout, H_out, W_out, F, groups, K, BLOCK, taps, lines, sums, panels,
            start_h, span_h, start_w, columns, step, bands, band_rows, in_place, part, parts,
        )  # fmt: skip


@inner
def filter_gradient_share(
    x, N, H, W, C, dout, H_out, W_out, F, groups, K, BLOCK, taps, lines, sums, panels,
    start_h, span_h, start_w, columns, step, bands, band_rows, in_place, part, parts,
):  # fmt: skip
    own, T = sums.size // parts, taps.size
    below, seen_at = every(F // groups, T * K), np.empty(T * K, np.int64)
    for t in range(T):
        for k in range(K):
            seen_at[t * K + k] = taps[t] + k
    clear(sums, part * own, own)
    band_blocks = (H_out + band_rows - 1) // band_rows
    band0 = part * (bands.size // parts)
    for item in range(N * band_blocks * part // parts, N * band_blocks * (part + 1) // parts):
        n, i0 = item // band_blocks, item % band_blocks * band_rows
        rows = min(band_rows, H_out - i0)
        image = n * H * W * C
        delta = (n * H_out + i0) * W_out * F
        if in_place:
            seen = image + ((start_h + i0 * step) * W + start_w) * C
            gradient_band(x, seen, C, dout, delta, W_out, F, groups, K, BLOCK, taps, lines, sums, part * own, panels,
                          part * (panels.size // parts), rows, step, seen_at, below)  # fmt: skip
        else:
            lay_band(x, image, H, W, C, start_h + i0 * step, start_w, bands, band0, (rows - 1) * step + span_h, columns)
            gradient_band(bands, band0, C, dout, delta, W_out, F, groups, K, BLOCK, taps, lines, sums, part * own,
                          panels, part * (panels.size // parts), rows, step, seen_at, below)  # fmt: skip


@inner
def gradient_band(
    a, a0, C, dout, dout0, W_out, F, groups, K, BLOCK, taps, lines, sums, sums0, panels, panel0, rows, step, seen, below
):  # fmt: skip
    """What one band adds to the sums: every filter block, ROWS numbers of a window at a time.

    seen: where the numbers of a window lie, tap after tap; below: where the sums of each start.
    """
    T, C_seen, F_group = taps.size, C // groups, F // groups
    for g in range(groups):
        for f0 in range(0, F_group, BLOCK):
            filters = min(BLOCK, F_group - f0)
            for p in range(rows * W_out):  # side by side, the block of dout stays in the first-level cache
                copy(panels, panel0 + p * BLOCK, dout, dout0 + p * F + g * F_group + f0, filters)
            target = sums0 + g * T * K * F_group + f0
            for i in range(0, T * K, ROWS):
                product(
                    a, a0 + g * C_seen, seen, lines, step * C,
                    panels, panel0, W_out * BLOCK, BLOCK,
                    sums, target, below,
                    sums, target, below,
                    i, rows, W_out, min(ROWS, T * K - i), filters,
                )  # fmt: skip
