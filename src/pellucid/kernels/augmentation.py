"""Training images, changed and normalised on the way from bytes to floats. In words:

    for every image of the batch:                                          <- shared out between threads
        for every pixel that comes out:
            the place it comes from: moved, mirrored, reflected at the edges
            less the mean, by the scale; then contrast, colour and brightness; zero inside the square that is cut out

One walk reads every byte once and writes every float once, so that a batch costs little more than copying it. With
nothing moved and no tone changed, the floats are those of `(pixels - mean) / scale`, to the bit.
"""

from __future__ import annotations

from numba import prange

from pellucid.kernels.jit import inner, kernel


@kernel
def augment(pixels, chosen, moves, tones, mean, scale, H, W, C, side, out, parts):
    """Images `chosen` (N,) out of `pixels`, flat (all images, H, W, C) of any type, into `out`, flat (N, H, W, C).

    moves flat (N, 5), integers: rows down, columns to the right, 1 for a mirror image, and the first row and column of
    the square, ``side`` pixels wide, that becomes zero; tones flat (N, 3): contrast and saturation, factors, and
    brightness, added; mean flat (H, W, C), scale (C,).
    """
    N = chosen.size
    for part in prange(parts):
        augment_share(pixels, chosen, moves, tones, mean, scale, H, W, C, side, out, N * part // parts,
                      N * (part + 1) // parts)  # fmt: skip


@inner
def augment_share(pixels, chosen, moves, tones, mean, scale, H, W, C, side, out, begin, end):
    for n in range(begin, end):
        image, place = chosen[n] * H * W * C, n * H * W * C
        down, right, mirrored = moves[5 * n], moves[5 * n + 1], moves[5 * n + 2]
        cut_row, cut_column = moves[5 * n + 3], moves[5 * n + 4]
        contrast, saturation, brightness = tones[3 * n], tones[3 * n + 1], tones[3 * n + 2]
        toned = contrast != 1 or saturation != 1 or brightness != 0
        for i in range(H):
            row = image + reflected(i - down, H) * W * C
            for j in range(W):
                column = reflected(j - right, W)
                source = row + (W - 1 - column if mirrored else column) * C
                target = place + (i * W + j) * C
                if cut_row <= i < cut_row + side and cut_column <= j < cut_column + side:
                    out[target : target + C] = 0
                    continue
                for c in range(C):
                    out[target + c] = pixels[source + c]  # becomes a float here, and is nothing wider afterwards
                    out[target + c] = (out[target + c] - mean[(i * W + j) * C + c]) / scale[c]
                if toned:
                    change_tone(out[target : target + C], contrast, saturation, brightness)


@inner
def reflected(i, size):
    """The pixel that stands at i when the image is reflected at its outermost pixels, which are not repeated."""
    if size == 1:
        return 0
    i = abs(i) % (2 * size - 2)
    return 2 * size - 2 - i if i >= size else i


@inner
def change_tone(pixel, contrast, saturation, brightness):
    grey = pixel[0] * 0
    for c in range(pixel.size):
        grey += pixel[c]
    grey /= pixel.size
    for c in range(pixel.size):
        pixel[c] = (grey + (pixel[c] - grey) * saturation) * contrast + brightness
