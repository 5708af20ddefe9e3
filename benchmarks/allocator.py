"""Keeping freed memory: what PyTorch gains when the C library does not hand its tensors back to the system.

A training step of PyTorch allocates its activations anew. glibc gives arrays of that size back when they are freed, and
the next step gets pages that the system has to clear first: a large part of a step with a batch of 2,000. PyTorch's own
advice is another allocator (jemalloc or tcmalloc, by LD_PRELOAD); these settings of glibc do the same without
installing anything. Our steps use the same memory again as they are.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""The numbers that `mallopt(3)` knows them by."""


def keep_memory() -> None:
    """Never give freed memory back to the system, from now on, in this process.

    Raises
    ------
    OSError
        The C library is not glibc, or refuses.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None or not (mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1)):
        raise OSError("keep_memory: the C library has no such settings; on Linux with glibc it has")
