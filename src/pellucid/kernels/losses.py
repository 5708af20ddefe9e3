"""Softmax loss, with its labels smoothed or not, and its gradient in one walk over the scores.

    for every sample:                                                      <- shared out between threads
        the largest score; the sum of exp(score - largest), each of them written to dx; its logarithm gives the loss
        dx = exp / (sum * N), less what the labels say: (1 - smoothing) / N at the right class, smoothing / (C N) at all

A sample's scores are in the first-level cache when they are read again. exp is that of activations.py; what is smaller
than 1e-38 (float64: 1e-307) beside the largest is zero.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from pellucid.kernels.activations import exponential
from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.lane_memory import load, load_or, store
from pellucid.kernels.lanes import lane_count, largest, spread, total, where


@kernel
def softmax_loss(x, y, smoothing, N, C, dx, losses, parts):
    """x flat (N, C), y (N,) integers -> dx flat (N, C), float64 losses (parts,), each the sum over a part's samples.

    smoothing: an array of one number of x's type, from 0 to 1.
    """
    for part in prange(parts):
        softmax_share(x, y, smoothing[0], N, C, dx, losses, part, parts)


@inner
def softmax_share(x, y, smoothing, N, C, dx, losses, part, parts):
    loss, sure, everywhere = 0.0, 1 - np.float64(smoothing), smoothing / (N * C)
    for n in range(N * part // parts, N * (part + 1) // parts):
        first = n * C
        top = spread(x, -math.inf)
        for c in range(0, C, lane_count(x)):
            scores = load_or(x, first + c, C - c, -math.inf)
            top = where(scores > top, scores, top)
        highest = largest(top)
        sums, below = spread(x, 0), spread(x, 0)
        for c in range(0, C, lane_count(x)):
            below = below + (load_or(x, first + c, C - c, highest) - highest)
            e = exponential(load_or(x, first + c, C - c, -math.inf) - highest)  # zero beyond the last class
            store(dx, first + c, C - c, e)
            sums = sums + e
        sum_ = np.float64(total(sums))
        loss += math.log(sum_) - sure * (x[first + y[n]] - highest)
        if smoothing > 0:
            loss -= (1 - sure) * np.float64(total(below)) / C
        share = 1 / (sum_ * N)
        for c in range(0, C, lane_count(x)):
            store(dx, first + c, C - c, load(dx, first + c, C - c) * share - everywhere)
        dx[first + y[n]] -= sure / N
    losses[part] = loss
