"""Batch normalisation by channel, alone or with the activation and the pooling that follow it.

An array of pixels is read as rows of D numbers, each row a few pixels side by side (`rows.pixels_in_a_row`), so that
number d of every row belongs to the same channel. Forward in training:

    moments      for every run of RUN rows, every LANES numbers d:         <- shared out between threads
                     sums of (x - first row of the run) and of its square, added to the totals in float64
    normalise    for every row, the last first, every d:
                     out = activation((x - mean) * scale + beta)

and backward, with g = dout * activation'((x - mean) * scale + beta), computed again from x rather than kept:

    gradient_sums     sum of g and of g * (x - mean)
    input_gradient    for every row, the last first:  dx = g * a - ((x - mean) * c + b)

with a, b, c from the sums (see layers/spatial_norm.py). Each array is read twice at most, once for the sums and once
for the results; the second time it is walked backwards, because its end is still in the cache.

Why a run's own first row: taken from numbers far from zero, squares lose the digits that make up a variance. Around any
member of a run of 16, the sum of squares is at most 17 times that around the run's mean, whatever the numbers; the
totals, around the first pixel of all, are float64.

What was tried (one core, float32, 17 MB; what is read and written over the time; a plain copy makes 29 GB/s):

    moments           the run's mean first, then its squares, from the cache      22 GB/s
                      around the run's first row, RUN = 8, 16, 32                 26, 28, 28 GB/s
    normalise         run by run, channels' numbers in registers                  24 to 29 GB/s, as the arrays lie
                      row by row, channels' numbers from the first-level cache    30 GB/s
    input_gradient    run by run                                                  23 to 29 GB/s
                      row by row                                                  30 GB/s
    gradient_sums     run by run, RUN = 8, 16, 32                                 30, 28, 27 GB/s
"""

from __future__ import annotations

from numba import prange

from pellucid.kernels.activations import activated, gradient_through
from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.lane_memory import accumulate, load, store
from pellucid.kernels.lanes import lane_count, spread, widen

RUN = 16
"""Rows that are added in the working type before they go to the float64 totals, and are read from the first-level
cache when they are read again."""


@inner
def share(rows, part, parts):
    """The first row of a part, the row after its last, and its number of runs."""
    begin, end = rows * part // parts, rows * (part + 1) // parts
    return begin, end, (end - begin + RUN - 1) // RUN


@inner
def clear(sums, part, D):
    """Set a part's totals to zero."""
    for k in range(part * D, (part + 1) * D):
        sums[k] = 0


@kernel
def moments(x, rows, D, start, sums, squares, parts):
    """x flat (rows, D), start (D,) -> float64 sums and squares flat (parts, D): of x - start and of its square."""
    for part in prange(parts):
        moments_share(x, rows, D, start, sums, squares, part, parts)


@inner
def moments_share(x, rows, D, start, sums, squares, part, parts):
    clear(sums, part, D)
    clear(squares, part, D)
    begin, end, runs = share(rows, part, parts)
    for run in range(runs):
        first = begin + run * RUN
        last = min(first + RUN, end)
        for d in range(0, D, lane_count(x)):
            rest = D - d
            centre = load(x, first * D + d, rest)
            s, q = spread(x, 0), spread(x, 0)
            for row in range(first + 1, last):
                centred = load(x, row * D + d, rest) - centre
                s, q = s + centred, q + centred * centred
            # around start:  sum = s + n * offset,  square = q + 2 * s * offset + n * offset^2
            offset = widen(centre) - widen(load(start, d, rest))
            moved = offset * (last - first)
            accumulate(sums, part * D + d, rest, widen(s) + moved)
            accumulate(squares, part * D + d, rest, widen(q) + (widen(s) * 2 + moved) * offset)


@kernel
def normalise(x, rows, D, mean, scale, beta, activation, out, parts):
    """x flat (rows, D) and mean, scale, beta (D,) -> out flat (rows, D)."""
    for part in prange(parts):
        normalise_share(x, rows, D, mean, scale, beta, activation, out, part, parts)


@inner
def normalise_share(x, rows, D, mean, scale, beta, activation, out, part, parts):
    for row in range(rows * (part + 1) // parts - 1, rows * part // parts - 1, -1):
        for d in range(0, D, lane_count(x)):
            rest = D - d
            z = (load(x, row * D + d, rest) - load(mean, d, rest)) * load(scale, d, rest) + load(beta, d, rest)
            store(out, row * D + d, rest, activated(z, activation))


@kernel
def gradient_sums(dout, x, rows, D, mean, scale, beta, activation, sums, products, parts):
    """dout and x flat (rows, D) -> float64 sums of g and products g * (x - mean), flat (parts, D)."""
    for part in prange(parts):
        gradient_sums_share(dout, x, rows, D, mean, scale, beta, activation, sums, products, part, parts)


@inner
def gradient_sums_share(dout, x, rows, D, mean, scale, beta, activation, sums, products, part, parts):
    clear(sums, part, D)
    clear(products, part, D)
    begin, end, runs = share(rows, part, parts)
    for run in range(runs):
        first = begin + run * RUN
        for d in range(0, D, lane_count(x)):
            rest = D - d
            m, s, b = load(mean, d, rest), load(scale, d, rest), load(beta, d, rest)
            total, product = spread(x, 0), spread(x, 0)
            for row in range(first, min(first + RUN, end)):
                centred = load(x, row * D + d, rest) - m
                g = gradient_through(centred * s + b, load(dout, row * D + d, rest), activation)
                total, product = total + g, product + g * centred
            accumulate(sums, part * D + d, rest, total)
            accumulate(products, part * D + d, rest, product)


@kernel
def input_gradient(dout, x, rows, D, mean, scale, beta, activation, a, b, c, dx, parts):
    """dout and x flat (rows, D); a, b, c (D,) -> dx flat (rows, D): g * a - ((x - mean) * c + b)."""
    for part in prange(parts):
        input_gradient_share(dout, x, rows, D, mean, scale, beta, activation, a, b, c, dx, part, parts)


@inner
def input_gradient_share(dout, x, rows, D, mean, scale, beta, activation, a, b, c, dx, part, parts):
    for row in range(rows * (part + 1) // parts - 1, rows * part // parts - 1, -1):
        for d in range(0, D, lane_count(x)):
            rest = D - d
            centred = load(x, row * D + d, rest) - load(mean, d, rest)
            z = centred * load(scale, d, rest) + load(beta, d, rest)
            g = gradient_through(z, load(dout, row * D + d, rest), activation)
            store(dx, row * D + d, rest, g * load(a, d, rest) - (centred * load(c, d, rest) + load(b, d, rest)))
