"""The product of two matrices, on the same building block as the convolutions.

A BLAS would do, but its threads wait for work by spinning, and would take the cores from the next kernel for some
milliseconds after every call. In words:

    for every DEPTH terms of the sums:                       <- threads share the rows of a, or the columns of b
        for every group of tiles, ROWS rows of a each:
            lay their terms side by side, tile after tile
            for every chunk of blocks, BLOCK columns of b each:
                lay them side by side, block after block (once, where there is one chunk)
                for every tile, every block: one product, added to what is there

Both matrices may lie in either order: `lay` copies or turns them.

What was tried (both threads, AVX-512, float32, peak 401 GFLOP/s; a batch of 50 through 8192 x 500 weights, forward /
gradient for the batch / for the weights, ms; PyTorch takes 1.4 / 1.5 / 1.5):

    8 x 2 tiles, 256 terms, columns of b by block moves, b never turned    1.88 / 1.91 / 1.65
    10 x 2 tiles, 512 terms, this                                          1.65 / 1.50 / 1.48
    256, 1024 terms                                                        1.75, 2.00 / 1.61, 1.73 / 1.50
    b forward read where it lies                                           1.72
    one block at a time, 256 terms of it in the first-level cache          1.71 / 1.50 / 1.50
    asking for the next columns while these are multiplied                 1.68 / 1.50 / 1.50
    without laying out b (wrong results, to see what it costs)             1.35 / 1.20 / 1.48
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.arrays import flat
from pellucid.kernels.jit import inner, kernel, threads
from pellucid.kernels.lane_memory import load, store
from pellucid.kernels.lanes import lane_count
from pellucid.kernels.processor import TALL_ROWS as ROWS
from pellucid.kernels.processor import columns
from pellucid.kernels.product import every, tall_product
from pellucid.kernels.turning import turn_table
from pellucid.kernels.workspace import empty

DEPTH = 512
"""Terms that are added at a time: a product costs as much as 40 terms before its first and after its last."""
PANEL_BYTES = 1 << 19
"""What a group of tiles, and a chunk of blocks, may take of the second-level cache."""
SMALL = 1 << 17
"""Multiplications below which another thread is not worth waking."""


@kernel
def multiply_kernel(
    a, a_i, a_k, b, b_j, b_k, c, M, K, N, BLOCK, taps, zero, by_rows, a_panels, group, b_panels, chunk, parts
):  # fmt: skip
    """a flat, its numbers a_i apart down and a_k along, one of them 1; b flat, b_k down and b_j along; c flat (M, N).

    a_panels flat (parts, group, DEPTH, ROWS) and b_panels flat (parts, chunk, DEPTH, BLOCK): scratch; taps: one zero;
    zero: a block of zeros.
    """
    for part in prange(parts):
        multiply_share(
            a, a_i, a_k, b, b_j, b_k, c, M, K, N, BLOCK, taps, zero, by_rows, a_panels, group, b_panels, chunk,
            part, parts,
        )  # fmt: skip


@inner
def multiply_share(
    a, a_i, a_k, b, b_j, b_k, c, M, K, N, BLOCK, taps, zero, by_rows, a_panels, group, b_panels, chunk, part, parts
):  # fmt: skip
    tiles, blocks = (M + ROWS - 1) // ROWS, (N + BLOCK - 1) // BLOCK
    i_from, i_to, j_from, j_to = 0, M, 0, N
    if by_rows:
        i_from, i_to = tiles * part // parts * ROWS, min(M, tiles * (part + 1) // parts * ROWS)
    else:
        j_from, j_to = blocks * part // parts * BLOCK, min(N, blocks * (part + 1) // parts * BLOCK)
    a0, b0 = part * (a_panels.size // parts), part * (b_panels.size // parts)
    for k in range(0, K, DEPTH):
        depth = min(DEPTH, K - k)
        for i in range(i_from, i_to, group * ROWS):
            rows = min(group * ROWS, i_to - i)
            lay(a, i * a_i + k * a_k, a_i, a_k, rows, depth, ROWS, a_panels, a0)
            for j in range(j_from, j_to, chunk * BLOCK):
                width = min(chunk * BLOCK, j_to - j)
                if i == i_from or width < j_to - j_from:
                    lay(b, j * b_j + k * b_k, b_j, b_k, width, depth, BLOCK, b_panels, b0)
                multiply_panels(
                    a_panels, a0, rows, b_panels, b0, width, depth, BLOCK, taps, zero, k == 0, c, i * N + j, N
                )


@inner
def multiply_panels(a, a0, rows, b, b0, width, depth, BLOCK, taps, zero, is_first, c, c0, N):
    """Every tile with every block, added to c unless they are the first terms."""
    beside, below, nowhere = every(1, ROWS), every(N, ROWS), every(0, ROWS)
    for i in range(0, rows, ROWS):
        for j in range(0, width, BLOCK):
            target = c0 + i * N + j
            tall_product(
                a, a0 + i * depth, beside, taps, ROWS,
                b, b0 + j * depth, 0, BLOCK,
                zero if is_first else c, 0 if is_first else target, nowhere if is_first else below,
                c, target, below,
                0, 1, depth, min(ROWS, rows - i), min(BLOCK, width - j),
            )  # fmt: skip


@inner
def lay(source, start, step, term_step, rows, terms, WIDTH, panels, panel0):
    """Rows of a (or columns of b) into panels (rows / WIDTH, terms, WIDTH); one of the steps is 1."""
    for i in range(0, rows, WIDTH):
        some, panel, here = min(WIDTH, rows - i), panel0 + i * terms, start + i * step
        if term_step == 1:
            turn_table(source, here, step, some, terms, panels, panel, WIDTH)
        else:
            for term in range(terms):
                line, place = here + term * term_step, panel + term * WIDTH
                for k in range(0, some, lane_count(source)):
                    store(panels, place + k, some - k, load(source, line + k, some - k))


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` for matrices (M, K) and (K, N) of one type, in any memory order."""
    a, b = (m if m.flags.c_contiguous or m.T.flags.c_contiguous else np.ascontiguousarray(m) for m in (a, b))
    (M, K), N = a.shape, b.shape[1]
    c = empty((M, N), a.dtype)
    if K == 0:
        c.fill(0)
        return c
    block, depth = columns(a.dtype), min(K, DEPTH)
    tiles, blocks = -(-M // ROWS), -(-N // block)
    by_rows = M >= 2 * N or blocks == 1
    parts = max(1, min(threads(), tiles if by_rows else blocks)) if M * K * N > SMALL else 1
    most = PANEL_BYTES // (a.itemsize * depth)
    group, chunk = max(1, min(tiles, most // ROWS)), max(1, min(blocks, most // block))
    a_i, a_k = (K, 1) if a.flags.c_contiguous else (1, M)
    b_k, b_j = (N, 1) if b.flags.c_contiguous else (1, K)
    multiply_kernel(
        flat(a if a_k == 1 else a.T), a_i, a_k, flat(b if b_j == 1 else b.T), b_j, b_k, flat(c), M, K, N, block,
        np.zeros(1, np.int64), np.zeros(block, a.dtype), by_rows,
        empty((parts * group * depth * ROWS,), a.dtype), group, empty((parts * chunk * depth * block,), a.dtype), chunk,
        parts,
    )  # fmt: skip
    return c
