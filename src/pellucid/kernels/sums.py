"""Sums over all rows of a table, column by column.

In words: every thread takes an equal share of the rows; it adds RUN rows in the table's own type, which vectors do at
the speed of memory, and adds each such run to its totals in float64, which keeps the digits. The threads' totals are
added last.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.arrays import flat
from pellucid.kernels.jit import inner, kernel, threads

RUN = 64
"""Rows that are added in the table's own type: their sum is rounded in the seventh digit at worst."""
ROWS_PER_THREAD = 256
"""Fewer rows are not worth waking another thread."""


@kernel
def add_rows(x, rows, C, totals, parts):
    """x flat (rows, C) -> totals flat (parts, C), float64."""
    for part in prange(parts):
        add_share(x, rows * part // parts, rows * (part + 1) // parts, C, totals, part * C)


@inner
def add_share(x, begin, end, C, totals, total0):
    run = np.zeros(C, x.dtype)
    for c in range(C):
        totals[total0 + c] = 0
    for start in range(begin, end, RUN):
        run[:] = 0
        for row in range(start, min(start + RUN, end)):
            line = x[row * C : (row + 1) * C]
            for c in range(C):
                run[c] += line[c]
        for c in range(C):
            totals[total0 + c] += run[c]


def column_sums(x: np.ndarray) -> np.ndarray:
    """The sum over all axes but the last of a contiguous array, in its type: (..., C) -> (C,)."""
    C = x.shape[-1]
    rows = x.size // C
    parts = max(1, min(threads(), rows // ROWS_PER_THREAD))
    totals = np.empty((parts, C), np.float64)
    add_rows(flat(x), rows, C, totals.reshape(-1), parts)
    return totals.sum(axis=0).astype(x.dtype)
