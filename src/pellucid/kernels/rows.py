"""How a kernel that goes through an array once is given its work: in rows that suit the vectors, on enough threads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.kernels.jit import Kernel, threads
from pellucid.kernels.processor import lanes

SMALL_NUMBERS = 1 << 15
"""Numbers below which one thread is as fast as two: 128 kB are copied in 3 us, and threads start in 2 (or, where
another program has the second core, in thousands)."""
ROW_NUMBERS = 512
"""Numbers in a row, at most: the sums of a row's channels, and a few rows of each array, stay in the first-level cache.
128 to 1024 were the same within noise for 64 and 128 channels."""


def launch(kernel: Kernel, numbers: int, *arguments: Any) -> None:
    """Run a kernel whose last argument is the number of parts, for an array of so many numbers."""
    run: Callable[..., None] = kernel.on_one_thread if numbers < SMALL_NUMBERS else kernel
    run(*arguments, parts_for(numbers))


def parts_for(numbers: int) -> int:
    """How many threads are worth waking for an array of so many numbers; `launch` asks for as many parts."""
    return 1 if numbers < SMALL_NUMBERS else threads()


@functools.lru_cache(maxsize=1024)
def pixels_in_a_row(pixels: int, C: int, dtype: np.dtype) -> int:
    """How many pixels of C channels to read as one row of numbers: as many as fit and divide all pixels evenly.

    Sums by channel have C accumulators; with only 3 channels most lanes of a vector would be idle. As many pixels side
    by side as make whole vectors fill them, and the copies of a channel are added up at the end.
    """
    fitting = [m for m in range(1, max(1, ROW_NUMBERS // C) + 1) if pixels % m == 0]
    whole = [m for m in fitting if m * C % lanes(dtype) == 0]
    return (whole or fitting)[-1]
