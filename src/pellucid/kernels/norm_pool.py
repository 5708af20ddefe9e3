"""Batch normalisation, ReLU and 2 x 2 max pooling in one walk over the pixels.

ReLU keeps the order of numbers, so the largest of a window is found among z = (x - mean) * scale + beta, and neither z
nor its ReLU is ever written at full size. Backward, the winner of each window is found again from x, which must be read
anyway:

    for every row of stops:                                                <- shared out between threads
        for every stop, every LANES channels:
            z of the four pixels, the largest and its tap
            forward     out = max(0, largest)
            sums        g = dout where the largest is above zero;  sums of g and g * (x - mean) at the winner
            gradient    dx = (g at the winner, 0 elsewhere) * a - ((x - mean) * c + b), for all four

Ties and NaN are settled as in pooling.py. Pixels beyond the last window (odd sizes) get the last term alone.
"""

from __future__ import annotations

from numba import prange

from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.lane_memory import accumulate, load, store
from pellucid.kernels.lanes import lane_count, spread, where
from pellucid.kernels.norm import clear
from pellucid.kernels.pooling import beats


@kernel
def normalise_pool(x, N, H, W, C, mean, scale, beta, out, parts):
    """x flat (N, H, W, C) and mean, scale, beta (C,) -> out flat (N, H // 2, W // 2, C)."""
    for part in prange(parts):
        normalise_pool_share(x, N, H, W, C, mean, scale, beta, out, part, parts)


@inner
def normalise_pool_share(x, N, H, W, C, mean, scale, beta, out, part, parts):
    H_out, W_out = H // 2, W // 2
    for row in range(N * H_out * (part + 1) // parts - 1, N * H_out * part // parts - 1, -1):
        n, i = row // H_out, row % H_out
        for j in range(W_out):
            top = ((n * H + 2 * i) * W + 2 * j) * C
            for c in range(0, C, lane_count(x)):
                rest = C - c
                m, s, b = load(mean, c, rest), load(scale, c, rest), load(beta, c, rest)
                upper, right = (load(x, top + c, rest) - m) * s + b, (load(x, top + C + c, rest) - m) * s + b
                upper = where(beats(right, upper), right, upper)
                below = top + W * C + c
                lower, right = (load(x, below, rest) - m) * s + b, (load(x, below + C, rest) - m) * s + b
                lower = where(beats(right, lower), right, lower)
                largest = where(beats(lower, upper), lower, upper)
                store(out, (row * W_out + j) * C + c, rest, where(largest < 0, 0, largest))


@inner
def winner(x_0, x_1, x_2, x_3, s, b):
    """Among four centred pixels: whether the right one won in either row, whether the lower row won; z and x of the
    winner."""
    z_0, z_1, z_2, z_3 = x_0 * s + b, x_1 * s + b, x_2 * s + b, x_3 * s + b
    upper_right, lower_right = beats(z_1, z_0), beats(z_3, z_2)
    upper, lower = where(upper_right, z_1, z_0), where(lower_right, z_3, z_2)
    down = beats(lower, upper)
    centred = where(down, where(lower_right, x_3, x_2), where(upper_right, x_1, x_0))
    return upper_right, lower_right, down, where(down, lower, upper), centred


@kernel
def pooled_gradient_sums(dout, x, N, H, W, C, mean, scale, beta, sums, products, parts):
    """dout flat (N, H // 2, W // 2, C), x flat (N, H, W, C) -> float64 sums and products flat (parts, C)."""
    for part in prange(parts):
        pooled_gradient_sums_share(dout, x, N, H, W, C, mean, scale, beta, sums, products, part, parts)


@inner
def pooled_gradient_sums_share(dout, x, N, H, W, C, mean, scale, beta, sums, products, part, parts):
    clear(sums, part, C)
    clear(products, part, C)
    H_out, W_out = H // 2, W // 2
    for row in range(N * H_out * part // parts, N * H_out * (part + 1) // parts):
        n, i = row // H_out, row % H_out
        for c in range(0, C, lane_count(x)):
            rest = C - c
            m, s, b = load(mean, c, rest), load(scale, c, rest), load(beta, c, rest)
            total, product = spread(x, 0), spread(x, 0)
            for j in range(W_out):
                top = ((n * H + 2 * i) * W + 2 * j) * C + c
                below = top + W * C
                x_0, x_1 = load(x, top, rest) - m, load(x, top + C, rest) - m
                x_2, x_3 = load(x, below, rest) - m, load(x, below + C, rest) - m
                _, _, _, z, centred = winner(x_0, x_1, x_2, x_3, s, b)
                g = where(z > 0, load(dout, (row * W_out + j) * C + c, rest), 0)
                total, product = total + g, product + g * centred
            accumulate(sums, part * C + c, rest, total)
            accumulate(products, part * C + c, rest, product)


@kernel
def pooled_input_gradient(dout, x, N, H, W, C, mean, scale, beta, a, b, c, dx, parts):
    """dout flat (N, H // 2, W // 2, C), x flat (N, H, W, C) -> dx flat (N, H, W, C): g * a - ((x - mean) * c + b)."""
    for part in prange(parts):
        pooled_input_gradient_share(dout, x, N, H, W, C, mean, scale, beta, a, b, c, dx, part, parts)


@inner
def pooled_input_gradient_share(dout, x, N, H, W, C, mean, scale, beta, a, b, c, dx, part, parts):
    H_out, W_out = H // 2, W // 2
    for row in range(N * H_out * (part + 1) // parts - 1, N * H_out * part // parts - 1, -1):
        n, i = row // H_out, row % H_out
        image_row = (n * H + 2 * i) * W * C
        for j in range(W_out):
            top = image_row + 2 * j * C
            for k in range(0, C, lane_count(x)):
                rest, upper, lower = C - k, top + k, top + W * C + k
                m, s, shift = load(mean, k, rest), load(scale, k, rest), load(beta, k, rest)
                x_0, x_1 = load(x, upper, rest) - m, load(x, upper + C, rest) - m
                x_2, x_3 = load(x, lower, rest) - m, load(x, lower + C, rest) - m
                upper_right, lower_right, down, z, _ = winner(x_0, x_1, x_2, x_3, s, shift)
                a_, b_, c_ = load(a, k, rest), load(b, k, rest), load(c, k, rest)
                g = where(z > 0, load(dout, (row * W_out + j) * C + k, rest), 0) * a_
                up, down_ = where(down, 0, g), where(down, g, 0)
                store(dx, upper, rest, where(upper_right, 0, up) - (x_0 * c_ + b_))
                store(dx, upper + C, rest, where(upper_right, up, 0) - (x_1 * c_ + b_))
                store(dx, lower, rest, where(lower_right, 0, down_) - (x_2 * c_ + b_))
                store(dx, lower + C, rest, where(lower_right, down_, 0) - (x_3 * c_ + b_))
        if W % 2:
            unseen(x, image_row + (W - 1) * C, 1, C, mean, b, c, dx)
            unseen(x, image_row + (2 * W - 1) * C, 1, C, mean, b, c, dx)
        if H % 2 and i == H_out - 1:
            unseen(x, image_row + 2 * W * C, W, C, mean, b, c, dx)


@inner
def unseen(x, start, pixels, C, mean, b, c, dx):
    """The gradient for pixels that no window sees: what they do to mean and variance."""
    for pixel in range(pixels):
        at = start + pixel * C
        for k in range(0, C, lane_count(x)):
            rest = C - k
            centred = load(x, at + k, rest) - load(mean, k, rest)
            store(dx, at + k, rest, spread(x, 0) - (centred * load(c, k, rest) + load(b, k, rest)))
