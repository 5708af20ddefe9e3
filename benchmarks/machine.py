"""The machine: what it is, and the most that it can do, measured.

* **Multiply-add peak**: the kernels' building block on data that stay in the first cache, on every thread.
* **Memory bandwidth**: reading, writing and copying far more than fits into any cache.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import njit, prange
from threadpoolctl import threadpool_limits

from pellucid.kernels import jit
from pellucid.kernels.processor import ROWS, VECTOR_BYTES, columns
from pellucid.kernels.product import product
from pellucid.runs.folder import processor_name

DEPTH = 64
"""Rows of the peak's matrices: 8 x 64 and 64 x 48 numbers are 14 KB, less than the first cache."""
ROUNDS = 32
"""Times that a product goes through them before it stores its sums."""
PRODUCTS = 1_000
MEBIBYTES = 256
"""Of every array; no ordinary cache is larger."""
REPETITIONS = 10
PACKAGES = ("pellucid", "numpy", "numba", "llvmlite", "torch", "onnxruntime")


def set_threads(threads: int, torch_too: bool = True) -> None:
    """The same number of threads for everybody."""
    jit.set_threads(threads)
    numba.set_num_threads(threads)
    if torch_too:
        import torch

        torch.set_num_threads(threads)
    threadpool_limits(threads)


def describe(threads: int) -> dict[str, Any]:
    """Who, what and when."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "vector_bits": 8 * VECTOR_BYTES,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "date": datetime.date.today().isoformat(),
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def measure(threads: int) -> dict[str, float]:
    """GFLOP/s and GB/s: the best of a few runs each."""
    return {"peak_gflops": _peak_gflops(threads), **_bandwidths(threads)}


@njit(parallel=True, nogil=True)
def _multiply_add(a, b, c, taps, threads, products, K, COLUMNS):
    size = ROWS * COLUMNS
    a_rows, c_rows = np.arange(ROWS) * K, np.arange(ROWS) * COLUMNS
    for part in prange(threads):
        for _ in range(products):
            product(a, part * ROWS * K, a_rows, taps, 1, b, part * K * COLUMNS, 0, COLUMNS, c, part * size, c_rows,
                    c, part * size, c_rows, 0, taps.size, K, ROWS, COLUMNS)  # fmt: skip


def _peak_gflops(threads: int) -> float:
    COLUMNS = columns(np.float32)
    a, b, c = (np.zeros(threads * n, np.float32) for n in (ROWS * DEPTH, DEPTH * COLUMNS, ROWS * COLUMNS))
    taps = np.zeros(ROUNDS, np.int64)
    seconds = _best(lambda: _multiply_add(a, b, c, taps, threads, PRODUCTS, DEPTH, COLUMNS))
    return 2e-9 * threads * PRODUCTS * ROUNDS * ROWS * COLUMNS * DEPTH / seconds


@njit(parallel=True, nogil=True, fastmath=True)
def _read(x, parts):
    total = 0.0
    for part in prange(parts):
        subtotal = np.float32(0)
        for i in range(x.size * part // parts, x.size * (part + 1) // parts):
            subtotal += x[i]
        total += subtotal
    return total


@njit(parallel=True, nogil=True)
def _write(x, parts):
    for part in prange(parts):
        for i in range(x.size * part // parts, x.size * (part + 1) // parts):
            x[i] = 1


@njit(parallel=True, nogil=True)
def _copy(x, out, parts):
    for part in prange(parts):
        for i in range(x.size * part // parts, x.size * (part + 1) // parts):
            out[i] = x[i]


def _bandwidths(threads: int) -> dict[str, float]:
    """Bytes read, bytes written, and both together for a copy."""
    x, out = (np.ones(MEBIBYTES * 2**20 // 4, np.float32) for _ in range(2))
    gigabytes = 1e-9 * x.nbytes
    return {
        "read_gb_s": gigabytes / _best(lambda: _read(x, threads)),
        "write_gb_s": gigabytes / _best(lambda: _write(out, threads)),
        "copy_gb_s": 2 * gigabytes / _best(lambda: _copy(x, out, threads)),
    }


def _best(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of a few calls; the first, which compiles, is not counted."""
    run()
    times = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)
