"""The product of two matrices, on the same building block as the convolutions.

A BLAS would do, but its threads wait for work by spinning, and would take the cores from the next kernel for some
milliseconds after every call. In words:

    for every run of rows of a (or of columns of b, where there are few rows):      <- shared out between threads
        for every DEPTH terms of the sums:
            lay the columns of b side by side in panels that stay in the second-level cache
            for every ROWS rows, every block of columns: one product, added to what is there

a may lie in either order: where its terms do not lie side by side, a tile of it is copied first.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.arrays import flat
from pellucid.kernels.jit import inner, kernel, threads
from pellucid.kernels.moves import copy
from pellucid.kernels.processor import ROWS, columns
from pellucid.kernels.product import every, product
from pellucid.kernels.workspace import empty

DEPTH = 256
"""Terms that are added at a time: a block of columns of b, 32 kB of them, suits the first-level cache."""

SMALL = 1 << 17
"""Multiplications below which another thread is not worth waking."""


@kernel
def multiply_kernel(a, a_i, a_k, b, c, M, K, N, BLOCK, taps, zero, by_rows, panels, parts):
    """a flat, elements a_i and a_k apart down and along, one of them 1; b flat (K, N); c flat (M, N).

    panels flat (parts, blocks of b, DEPTH, BLOCK): scratch; taps: one zero; zero: a block of zeros.
    """
    for part in prange(parts):
        multiply_share(a, a_i, a_k, b, c, M, K, N, BLOCK, taps, zero, by_rows, panels, part, parts)


@inner
def multiply_share(a, a_i, a_k, b, c, M, K, N, BLOCK, taps, zero, by_rows, panels, part, parts):
    tiles, blocks = (M + ROWS - 1) // ROWS, (N + BLOCK - 1) // BLOCK
    first_tile, last_tile, first_block, last_block = 0, tiles, 0, blocks
    if by_rows:
        first_tile, last_tile = tiles * part // parts, tiles * (part + 1) // parts
    else:
        first_block, last_block = blocks * part // parts, blocks * (part + 1) // parts
    panel0, across = part * (panels.size // parts), a_k == 1
    tile_of_a = np.empty(ROWS * DEPTH, a.dtype)
    beside, along, below, nowhere = every(1, ROWS), every(a_i, ROWS), every(N, ROWS), every(0, ROWS)
    for k in range(0, K, DEPTH):
        depth = min(DEPTH, K - k)
        for block in range(first_block, last_block):
            for term in range(depth):
                target = panel0 + ((block - first_block) * DEPTH + term) * BLOCK
                copy(panels, target, b, (k + term) * N + block * BLOCK, min(BLOCK, N - block * BLOCK))
        for tile in range(first_tile, last_tile):
            i, rows = tile * ROWS, min(ROWS, M - tile * ROWS)
            start = i * a_i + k * a_k
            if not across:
                for term in range(depth):
                    copy(tile_of_a, term * ROWS, a, start + term * a_k, rows)
            for block in range(first_block, last_block):
                j = block * BLOCK
                target = i * N + j
                product(
                    a if across else tile_of_a, start if across else 0, along if across else beside, taps,
                    1 if across else ROWS,
                    panels, panel0 + (block - first_block) * DEPTH * BLOCK, 0, BLOCK,
                    zero if k == 0 else c, 0 if k == 0 else target, nowhere if k == 0 else below,
                    c, target, below,
                    0, 1, depth, rows, min(BLOCK, N - j),
                )  # fmt: skip


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` for matrices (M, K) and (K, N) of one type, in any memory order."""
    if not b.flags.c_contiguous and b.T.flags.c_contiguous:
        return multiply(b.T, np.ascontiguousarray(a.T)).T
    b = np.ascontiguousarray(b)
    if not (a.flags.c_contiguous or a.T.flags.c_contiguous):
        a = np.ascontiguousarray(a)
    (M, K), N = a.shape, b.shape[1]
    c = empty((M, N), a.dtype)
    block = columns(a.dtype)
    across = a.flags.c_contiguous
    a_i, a_k = (K, 1) if across else (1, M)
    by_rows = M >= 2 * N or block >= N
    most = -(-M // ROWS) if by_rows else -(-N // block)
    parts = max(1, min(threads(), most)) if M * K * N > SMALL else 1
    panels = empty((parts * -(-N // block) * DEPTH * block,), a.dtype)
    multiply_kernel(
        flat(a if across else a.T), a_i, a_k, flat(b), flat(c), M, K, N, block, np.zeros(1, np.int64),
        np.zeros(block, a.dtype), by_rows, panels, parts,
    )  # fmt: skip
    return c
