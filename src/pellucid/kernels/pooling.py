"""Max and average pooling of channels-last images.

Forward, in words:

    for every row of stops:                                                <- shared out between threads
        for every stop, every LANES channels:
            the largest number of the window, and which tap held it, written as one byte
            (as a number of x's type, where a window has more taps than a byte counts)

Backward, for windows of 2 x 2 side by side (`unpool_2x2`): every stop writes its four pixels, its gradient at the tap
that the byte names and zero at the others. For any other window (`unpool`):

    for every pixel row, every pixel:
        for every stop whose window sees the pixel: add its gradient, if the byte names this tap

so that every pixel is written once, whether windows overlap or leave gaps, and the additions have the naive twin's
order.

A larger number must be strictly larger to take the place of an earlier one, so a tie goes to the first in scan order.
NaN counts as larger than any number, and the first NaN keeps its place.

What was tried (one core, float32, (64, 64, 32, 32); what is read and written, over the time; a plain copy makes 29):

    forward    plain loops over channels, one index       11 GB/s   negative indices are looked after: no vectors
               plain loops over slices of the arrays      29 GB/s   but 2 to 5 GB/s for 16 to 24 channels
               vectors, any window                        29 GB/s   2 x 2; 21 for 3 x 3 with stride 2
               vectors, the four taps of 2 x 2 by hand    29 GB/s   no gain: left out
    backward   plain loops over slices                    12 GB/s
               vectors, 2 x 2                             26 GB/s
               vectors, any window                        14 GB/s   2 x 2; 10 for 3 x 3 with stride 2
               without the bytes of the forward pass      it would read all of x again: 1.7 times as much
"""

from __future__ import annotations

from numba import prange

from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.lane_memory import load, load_as, store, store_as
from pellucid.kernels.lanes import lane_count, spread, where


@inner
def beats(challenger, holder):
    """Where the challenger takes the place of the holder: it is larger, or the first NaN."""
    return (challenger > holder) | ((challenger != challenger) & (holder == holder))


@kernel
def max_pool(x, N, H, W, C, HH, WW, stride, H_out, W_out, out, taps, parts):
    """x flat (N, H, W, C) -> out and taps flat (N, H_out, W_out, C).

    taps holds bytes, or numbers of x's type where a window has more taps than a byte can count.
    """
    for part in prange(parts):
        max_pool_share(x, N, H, W, C, HH, WW, stride, H_out, W_out, out, taps, part, parts)


@inner
def max_pool_share(x, N, H, W, C, HH, WW, stride, H_out, W_out, out, taps, part, parts):
    for row in range(N * H_out * part // parts, N * H_out * (part + 1) // parts):
        n, i = row // H_out, row % H_out
        for j in range(W_out):
            corner = ((n * H + i * stride) * W + j * stride) * C
            target = (row * W_out + j) * C
            for c in range(0, C, lane_count(x)):
                rest = C - c
                best, best_tap = load(x, corner + c, rest), spread(x, 0)
                for r in range(HH):
                    for s in range(WW):
                        pixel = load(x, corner + (r * W + s) * C + c, rest)
                        better = beats(pixel, best)
                        best, best_tap = where(better, pixel, best), where(better, spread(x, r * WW + s), best_tap)
                store(out, target + c, rest, best)
                store_as(taps, target + c, rest, best_tap)


@kernel
def unpool_2x2(dout, taps, N, H, W, C, dx, parts):
    """dout and taps flat (N, H // 2, W // 2, C) -> dx flat (N, H, W, C)."""
    for part in prange(parts):
        unpool_2x2_share(dout, taps, N, H, W, C, dx, part, parts)


@inner
def unpool_2x2_share(dout, taps, N, H, W, C, dx, part, parts):
    H_out, W_out = H // 2, W // 2
    for row in range(N * H_out * part // parts, N * H_out * (part + 1) // parts):
        n, i = row // H_out, row % H_out
        image_row = (n * H + 2 * i) * W * C
        for j in range(W_out):
            top = image_row + 2 * j * C
            source = (row * W_out + j) * C
            for c in range(0, C, lane_count(dx)):
                here, rest = top + c, C - c
                below = here + W * C
                gradient = load(dout, source + c, rest)
                tap = load_as(taps, source + c, rest, gradient)
                store(dx, here, rest, where(tap == 0, gradient, 0))
                store(dx, here + C, rest, where(tap == 1, gradient, 0))
                store(dx, below, rest, where(tap == 2, gradient, 0))
                store(dx, below + C, rest, where(tap == 3, gradient, 0))
        if W % 2:
            dx[image_row + (W - 1) * C : image_row + W * C] = 0
            dx[image_row + (2 * W - 1) * C : image_row + 2 * W * C] = 0
        if H % 2 and i == H_out - 1:
            dx[image_row + 2 * W * C : image_row + 3 * W * C] = 0


@inner
def stops_that_see(place, size, stride, stops):
    """The first of the stops whose window holds a place along one axis, and the one after the last."""
    return max(0, (place - size) // stride + 1), min(stops, place // stride + 1)


@kernel
def unpool(dout, taps, N, H, W, C, HH, WW, stride, H_out, W_out, dx, parts):
    """Any window. dout and taps flat (N, H_out, W_out, C) -> dx flat (N, H, W, C)."""
    for part in prange(parts):
        unpool_share(dout, taps, N, H, W, C, HH, WW, stride, H_out, W_out, dx, part, parts)


@inner
def unpool_share(dout, taps, N, H, W, C, HH, WW, stride, H_out, W_out, dx, part, parts):
    for row in range(N * H * part // parts, N * H * (part + 1) // parts):
        n, y = row // H, row % H
        i_from, i_to = stops_that_see(y, HH, stride, H_out)
        for z in range(W):
            j_from, j_to = stops_that_see(z, WW, stride, W_out)
            for c in range(0, C, lane_count(dx)):
                rest = C - c
                sums = spread(dx, 0)
                for i in range(i_from, i_to):
                    for j in range(j_from, j_to):
                        source = ((n * H_out + i) * W_out + j) * C + c
                        gradient = load(dout, source, rest)
                        own_tap = (y - i * stride) * WW + z - j * stride
                        sums = sums + where(load_as(taps, source, rest, gradient) == own_tap, gradient, 0)
                store(dx, (row * W + z) * C + c, rest, sums)


@kernel
def average_pool(x, N, H, W, C, HH, WW, stride, H_out, W_out, out, parts):
    """x flat (N, H, W, C) -> out flat (N, H_out, W_out, C): the mean of each window."""
    for part in prange(parts):
        average_pool_share(x, N, H, W, C, HH, WW, stride, H_out, W_out, out, part, parts)


@inner
def average_pool_share(x, N, H, W, C, HH, WW, stride, H_out, W_out, out, part, parts):
    for row in range(N * H_out * part // parts, N * H_out * (part + 1) // parts):
        n, i = row // H_out, row % H_out
        for j in range(W_out):
            corner = ((n * H + i * stride) * W + j * stride) * C
            for c in range(0, C, lane_count(x)):
                sums = spread(x, 0)
                for r in range(HH):
                    for s in range(WW):
                        sums = sums + load(x, corner + (r * W + s) * C + c, C - c)
                store(out, (row * W_out + j) * C + c, C - c, sums / (HH * WW))


@kernel
def average_unpool(dout, N, H, W, C, HH, WW, stride, H_out, W_out, dx, parts):
    """dout flat (N, H_out, W_out, C) -> dx flat (N, H, W, C): each pixel's share of the windows that saw it."""
    for part in prange(parts):
        average_unpool_share(dout, N, H, W, C, HH, WW, stride, H_out, W_out, dx, part, parts)


@inner
def average_unpool_share(dout, N, H, W, C, HH, WW, stride, H_out, W_out, dx, part, parts):
    for row in range(N * H * part // parts, N * H * (part + 1) // parts):
        n, y = row // H, row % H
        i_from, i_to = stops_that_see(y, HH, stride, H_out)
        for z in range(W):
            j_from, j_to = stops_that_see(z, WW, stride, W_out)
            for c in range(0, C, lane_count(dx)):
                sums = spread(dx, 0)
                for i in range(i_from, i_to):
                    for j in range(j_from, j_to):
                        sums = sums + load(dout, ((n * H_out + i) * W_out + j) * C + c, C - c)
                store(dx, (row * W + z) * C + c, C - c, sums / (HH * WW))
