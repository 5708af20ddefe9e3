"""How large should a block of windows laid side by side be? Sets BLOCK_BYTES in src/pellucid/layers/channels_last.py.

    python benchmarks/block_bytes.py

Times forward and backward of three convolutions for block sizes from 1 to 64 MiB, in turn, and prints the medians with
the machine and the threads.
"""

import platform
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_info

from pellucid.layers import channels_last, conv_backward_fast, conv_forward_fast

SHAPES = [
    ((50, 3, 32, 32), (32, 3, 7, 7), 3),
    ((64, 64, 32, 32), (64, 64, 3, 3), 1),
    ((64, 128, 16, 16), (128, 128, 3, 3), 1),
]
MEBIBYTES = [1, 2, 4, 8, 16, 32, 64]
REPEATS = 7


def step_ms(x, w, pad):
    """Milliseconds of one forward and one backward pass."""
    started = time.perf_counter()
    out, cache = conv_forward_fast(x, w, np.zeros(len(w), w.dtype), {"stride": 1, "pad": pad})
    conv_backward_fast(out, cache)
    return 1e3 * (time.perf_counter() - started)


def main():
    threads = [f"{pool['internal_api']} {pool['num_threads']} threads" for pool in threadpool_info()]
    print(f"{platform.processor() or platform.machine()}, {', '.join(threads)}, medians of {REPEATS}, milliseconds")
    print("x, w".ljust(36) + "".join(f"{size:>5} MiB" for size in MEBIBYTES))
    rng = np.random.default_rng(0)
    for x_shape, w_shape, pad in SHAPES:
        x, w = (rng.standard_normal(shape, dtype=np.float32) for shape in (x_shape, w_shape))
        times = {size: [] for size in MEBIBYTES}
        for _ in range(REPEATS):
            for size in MEBIBYTES:
                channels_last.BLOCK_BYTES = size * 2**20
                times[size].append(step_ms(x, w, pad))
        medians = [statistics.median(times[size]) for size in MEBIBYTES]
        print(f"{x_shape} {w_shape}".ljust(36) + "".join(f"{median:9.1f}" for median in medians))


if __name__ == "__main__":
    main()
