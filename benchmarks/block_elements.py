"""How many elements should an update rule work on at a time? Sets BLOCK_ELEMENTS in src/pellucid/training/optim.py.

    python benchmarks/block_elements.py

Times one step of Adam on 4 million float32 parameters for several sizes, in turn, and prints the medians.
"""

import platform
import statistics
import time

import numpy as np

from pellucid.training import optim

SIZES = [2**exponent for exponent in (12, 13, 14, 15, 16, 17, 18, 22)]
REPEATS = 15


def main():
    rng = np.random.default_rng(0)
    w, dw = (rng.standard_normal((8192, 500), dtype=np.float32) for _ in range(2))
    times = {size: [] for size in SIZES}
    config = None
    for _ in range(REPEATS):
        for size in SIZES:
            optim.BLOCK_ELEMENTS = size
            started = time.perf_counter()
            _, config = optim.adam(w, dw, config)
            times[size].append(1e3 * (time.perf_counter() - started))
    print(f"{platform.processor() or platform.machine()}, medians of {REPEATS}, milliseconds a step")
    for size in SIZES:
        print(f"{size:>9,} elements {statistics.median(times[size]):7.1f}")


if __name__ == "__main__":
    main()
