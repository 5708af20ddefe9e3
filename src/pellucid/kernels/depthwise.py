"""Depthwise convolution: as many groups as channels and filters, so that no channel sees another.

The loops of `direct`, with vectors that run along the channels instead of the filters. Forward, and the gradient for
the input (`sweep_lanes`), in words:

    for every image and every band of result rows:                       <- shared out between threads
        lay the pixels that the band sees into a small buffer, zeros where the window leaves the image
        for every row of the band, every block of channels, every ROWS pixels: one sum over the taps

The gradient for the filters (`lane_filter_gradient`): the same bands; every block of channels, every TAP_ROWS taps,
every row of the band: one sum over its pixels.
"""

from __future__ import annotations

from numba import prange

from pellucid.kernels.direct import lay_band
from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.moves import clear
from pellucid.kernels.processor import ROWS
from pellucid.kernels.product import TAP_ROWS, lane_product, lane_product_of_taps


@kernel
def sweep_lanes(
    x, N, H, W, C, w, bias, BLOCK, taps, pixels, out, H_mem, W_mem,
    count_h, first_h, start_h, span_h, count_w, first_w, start_w, columns, step, spread, bands, band_rows, parts,
):  # fmt: skip
    """x flat (N, H, W, C); w flat (taps, C); bias (C,); out flat (N, H_mem, W_mem, C). The rest as in
    `direct.correlate`.

    pixels: where the windows of ROWS neighbouring results start.
    """
    for part in prange(parts):
        sweep_share(
            x, N, H, W, C, w, bias, BLOCK, taps, pixels, out, H_mem, W_mem, count_h, first_h, start_h, span_h,
            count_w, first_w, start_w, columns, step, spread, bands, band_rows, part, parts,
        )  # fmt: skip


@inner
def sweep_share(
    x, N, H, W, C, w, bias, BLOCK, taps, pixels, out, H_mem, W_mem, count_h, first_h, start_h, span_h,
    count_w, first_w, start_w, columns, step, spread, bands, band_rows, part, parts,
):  # fmt: skip
    band_blocks = (count_h + band_rows - 1) // band_rows
    band0 = part * (bands.size // parts)
    for item in range(N * band_blocks * part // parts, N * band_blocks * (part + 1) // parts):
        n, i0 = item // band_blocks, item % band_blocks * band_rows
        rows = min(band_rows, count_h - i0)
        lay_band(
            x, n * H * W * C, H, W, C, start_h + i0 * step, start_w, bands, band0, (rows - 1) * step + span_h, columns
        )
        for i in range(rows):
            target = ((n * H_mem + first_h + (i0 + i) * spread) * W_mem + first_w) * C
            for c in range(0, C, BLOCK):
                for j in range(0, count_w, ROWS):
                    lane_product(
                        bands, band0 + (i * columns + j) * step * C + c, pixels, taps,
                        w, c, C, bias, c, 0,
                        out, target + j * spread * C + c, spread * C,
                        taps.size, min(ROWS, count_w - j), min(BLOCK, C - c),
                    )  # fmt: skip


@kernel
def lane_filter_gradient(
    x, N, H, W, C, dout, H_out, W_out, BLOCK, taps, pixels, sums,
    start_h, span_h, start_w, columns, step, bands, band_rows, parts,
):  # fmt: skip
    """sums flat (parts, taps, C). pixels: where the windows of a row's results start."""
    for part in prange(parts):
        lane_gradient_share(
            x, N, H, W, C, dout, H_out, W_out, BLOCK, taps, pixels, sums,
            start_h, span_h, start_w, columns, step, bands, band_rows, part, parts,
        )  # fmt: skip


@inner
def lane_gradient_share(
    x, N, H, W, C, dout, H_out, W_out, BLOCK, taps, pixels, sums,
    start_h, span_h, start_w, columns, step, bands, band_rows, part, parts,
):  # fmt: skip
    T = taps.size
    clear(sums, part * T * C, T * C)
    band_blocks = (H_out + band_rows - 1) // band_rows
    band0 = part * (bands.size // parts)
    for item in range(N * band_blocks * part // parts, N * band_blocks * (part + 1) // parts):
        n, i0 = item // band_blocks, item % band_blocks * band_rows
        rows = min(band_rows, H_out - i0)
        lay_band(
            x, n * H * W * C, H, W, C, start_h + i0 * step, start_w, bands, band0, (rows - 1) * step + span_h, columns
        )
        for c in range(0, C, BLOCK):
            for t in range(0, T, TAP_ROWS):
                target = (part * T + t) * C + c
                for i in range(rows):
                    lane_product_of_taps(
                        bands, band0 + i * step * columns * C + c, taps[t:], pixels,
                        dout, ((n * H_out + i0 + i) * W_out) * C + c, C, sums, target, C, sums, target, C,
                        W_out, min(TAP_ROWS, T - t), min(BLOCK, C - c),
                    )  # fmt: skip
