"""Filters on their way into the building block and back.

The building block wants, for a block of filters, one row of numbers for each tap and channel:

    packed[group, block, tap, k, j] = w[filter block*BLOCK + j of the group, channel k, tap]

zeros where the last block is not full. For the gradient of the input, filters and channels change places. The way back,
from sums (part, group, tap, c, f) to the layout of w, adds up what the threads found.

In words: for every block of columns, every k and every tap, one row is written whole; the reads step through as many
filters side by side, each of which is then read on in order, so both ends stay in the cache.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.jit import inner, kernel

FILTERS_AT_ONCE = 16
"""Filters whose gradients are written side by side: a cache line of float32 sums."""


@kernel
def pack(w, packed, tap_starts, groups, group_step, K, k_step, J, j_step, block, parts):
    """w flat; packed flat (groups, blocks of J, taps, K, block); tap_starts: where tap t starts within a filter.

    K channels k_step apart are summed over; J filters j_step apart are computed side by side.
    """
    for part in prange(parts):
        pack_share(w, packed, tap_starts, groups, group_step, K, k_step, J, j_step, block, part, parts)


@inner
def pack_share(w, packed, tap_starts, groups, group_step, K, k_step, J, j_step, block, part, parts):
    T = tap_starts.size
    blocks = (J + block - 1) // block
    for item in range(groups * blocks * part // parts, groups * blocks * (part + 1) // parts):
        g, q = item // blocks, item % blocks
        full = min(block, J - q * block)
        for k in range(K):
            for t in range(T):
                source = g * group_step + q * block * j_step + k * k_step + tap_starts[t]
                target = ((item * T + t) * K + k) * block
                for j in range(full):
                    packed[target + j] = w[source + j * j_step]
                for j in range(full, block):
                    packed[target + j] = 0


@kernel
def unpack_sums(sums, dw, tap_starts, copies, groups, C, F, c_step, f_step, pitch, parts):
    """sums flat (copies, groups, taps, C, pitch), added over copies, into dw flat; F filters a group, C channels a
    group."""
    for part in prange(parts):
        unpack_share(sums, dw, tap_starts, copies, groups, C, F, c_step, f_step, pitch, part, parts)


@inner
def unpack_share(sums, dw, tap_starts, copies, groups, C, F, c_step, f_step, pitch, part, parts):
    T = tap_starts.size
    blocks = (F + FILTERS_AT_ONCE - 1) // FILTERS_AT_ONCE
    one = groups * T * C * pitch
    row = np.empty(FILTERS_AT_ONCE, sums.dtype)
    for item in range(groups * blocks * part // parts, groups * blocks * (part + 1) // parts):
        g, f0 = item // blocks, item % blocks * FILTERS_AT_ONCE
        full = min(FILTERS_AT_ONCE, F - f0)
        for c in range(C):
            for t in range(T):
                source = ((g * T + t) * C + c) * pitch + f0
                row[:full] = 0
                for copy in range(copies):
                    for f in range(full):
                        row[f] += sums[copy * one + source + f]
                target = (g * F + f0) * f_step + c * c_step + tap_starts[t]
                for f in range(full):
                    dw[target + f * f_step] = row[f]
