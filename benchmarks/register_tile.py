"""Which tile of registers should the building block fill? Sets TILES and WIDE_TILES in
src/pellucid/kernels/processor.py.

    python benchmarks/register_tile.py

Prints GFLOP/s of one thread for tiles of rows x vectors, and for sums of several lengths: up to 256 terms, the
columns of b fit the first-level cache; beyond, they come from the second. For the width that the processor has, and
for half of it.
"""

import time

import numba
import numpy as np

from pellucid.kernels.jit import OPTIONS
from pellucid.kernels.processor import VECTOR_BYTES
from pellucid.kernels.product import make_product
from pellucid.kernels.workspace import empty

LENGTHS = (64, 256, 576, 2304)
TILES = {64: ((8, 2), (12, 2), (14, 2), (8, 3), (4, 4), (5, 4), (6, 4), (4, 6)), 32: ((6, 2), (4, 3), (4, 2), (5, 2))}
OPERATIONS = 4e8
ROWS_OF_TILES = 32


def runner(rows, vectors, width):
    """A loop over many tiles, all on the same columns."""
    product = make_product(rows, vectors, width)
    columns = vectors * width // 4

    @numba.njit(**OPTIONS)
    def run(a, b, c, zero, taps, K, tiles, repetitions):
        a_rows, c_rows, nowhere = np.arange(rows) * K, np.arange(rows) * columns, np.zeros(rows, np.int64)
        for _ in range(repetitions):
            for tile in range(tiles):
                product(a, tile * rows * K, a_rows, taps, 1, b, 0, 0, columns, zero, 0, nowhere,
                        c, tile * rows * columns, c_rows, 0, 1, K, rows, columns)  # fmt: skip

    return run, columns


def gflops(rows, vectors, width, K):
    """The best of seven."""
    run, columns = runner(rows, vectors, width)
    rng, tiles = np.random.default_rng(0), ROWS_OF_TILES
    a, b = empty(tiles * rows * K, np.float32), empty(K * columns, np.float32)
    a[:], b[:] = rng.standard_normal(a.size), rng.standard_normal(b.size)
    c, zero, taps = empty(tiles * rows * columns, np.float32), np.zeros(columns, np.float32), np.zeros(1, np.int64)
    work = 2 * tiles * rows * K * columns
    repetitions = int(OPERATIONS // work) + 1
    run(a, b, c, zero, taps, K, tiles, 1)
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        run(a, b, c, zero, taps, K, tiles, repetitions)
        seconds.append(time.perf_counter() - start)
    return work * repetitions / min(seconds) / 1e9


if __name__ == "__main__":
    for width in (VECTOR_BYTES, VECTOR_BYTES // 2):
        print(f"vectors of {width} bytes; sums of {', '.join(map(str, LENGTHS))} terms: GFLOP/s")
        for rows, vectors in TILES.get(width, ()):
            print(f"  {rows:2d} x {vectors}  " + "  ".join(f"{gflops(rows, vectors, width, K):5.0f}" for K in LENGTHS))
