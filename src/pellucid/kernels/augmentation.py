"""Training images, changed and normalised on the way from bytes to floats. In words:

    for every image of the batch:                                          <- shared out between threads
        for every row that comes out:
            the bytes of the row it comes from, moved, mirrored, reflected at the edges, as floats
            less the mean, by the scale; then contrast, colour and brightness; zero inside the square that is cut out

Every byte is read once and every float written in one go, so that a batch costs little more than copying it. With
nothing moved and no tone changed, the floats are those of `(pixels - mean) / scale`, to the bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.jit import inner, kernel


@kernel
def augment(pixels, chosen, moves, tones, mean, scale, H, W, C, side, out, parts):
    """Images `chosen` (N,) out of `pixels`, flat (all images, H, W, C) of any type, into `out`, flat (N, H, W, C).

    moves flat (N, 5), integers: rows down, columns to the right, 1 for a mirror image, and the first row and column of
    the square, ``side`` pixels wide, that becomes zero; tones flat (N, 3): contrast and saturation, factors, and
    brightness, added; mean flat (H, W, C); scale flat (W, C), the same for every row.
    """
    N = chosen.size
    for part in prange(parts):
        begin, end = N * part // parts, N * (part + 1) // parts
        augment_share(pixels, chosen, moves, tones, mean, scale, H, W, C, side, out, begin, end)


@inner
def augment_share(pixels, chosen, moves, tones, mean, scale, H, W, C, side, out, begin, end):
    columns, length = np.empty(W, np.int64), W * C
    for n in range(begin, end):
        down, right, mirrored = moves[5 * n], moves[5 * n + 1], moves[5 * n + 2]
        top, left = moves[5 * n + 3], moves[5 * n + 4]
        contrast, saturation, brightness = tones[3 * n], tones[3 * n + 1], tones[3 * n + 2]
        is_toned = contrast != 1 or saturation != 1 or brightness != 0
        for j in range(W):
            column = reflected(j - right, W)
            columns[j] = C * (W - 1 - column if mirrored else column)
        for i in range(H):
            source = (chosen[n] * H + reflected(i - down, H)) * length
            target = (n * H + i) * length
            line = out[target : target + length]
            fetch(pixels[source : source + length], columns, C, line)
            normalise(line, mean[i * length : (i + 1) * length], scale)
            if is_toned:
                change_tones(line, C, contrast, saturation, brightness)
            if top <= i < top + side:
                line[left * C : (left + side) * C] = 0


@inner
def fetch(source, columns, C, line):
    """Pixels of a row, those that begin at `columns`, as floats."""
    if C == 3:  # the common case, without a loop inside of the loop
        for j in range(columns.size):
            place = columns[j]
            line[3 * j], line[3 * j + 1], line[3 * j + 2] = source[place], source[place + 1], source[place + 2]
    else:
        for j in range(columns.size):
            for c in range(C):
                line[j * C + c] = source[columns[j] + c]


@inner
def normalise(line, mean, scale):
    for k in range(line.size):
        line[k] = (line[k] - mean[k]) / scale[k]


@inner
def reflected(i, size):
    """The pixel that stands at i when the image is reflected at its outermost pixels, which are not repeated."""
    if size == 1:
        return 0
    i = abs(i) % (2 * size - 2)
    return 2 * size - 2 - i if i >= size else i


@inner
def change_tones(line, C, contrast, saturation, brightness):
    for first in range(0, line.size, C):
        grey = line[first]
        for c in range(1, C):
            grey += line[first + c]
        grey /= C
        for c in range(C):
            line[first + c] = (grey + (line[first + c] - grey) * saturation) * contrast + brightness
