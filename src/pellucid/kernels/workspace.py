"""Large arrays that are used again: a fresh one costs more in page faults than most kernels spend on arithmetic.

    with workspace:
        out = empty((N, H, W, C), np.float32)

Inside the `with`, `empty` hands out memory that the workspace owns. When the last view of an array is gone, its
memory goes back and serves the next request of about its size. A training step asks for the same sizes as the step
before, so from the second step on nothing is allocated, and whatever somebody still holds (a gradient, a cache) is
never handed out twice.

A model owns its workspace and enters it in `loss`; outside of any, `empty` allocates as NumPy would.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import mmap
import threading
import weakref
from typing import Any

import numpy as np

from pellucid.kernels.processor import ALIGNMENT

LARGE_BYTES = 32 * 1024
"""Smaller arrays are left to NumPy: its own allocator keeps those."""
HUGE_PAGE = 2 << 20
"""Bytes. A kernel steps through 36 places of a buffer at once: with small pages, each step asks for another entry of
the
processor's table of pages."""
WASTE = 1.25
"""A free buffer may be this many times larger than what is asked for."""

_current: contextvars.ContextVar[Workspace | None] = contextvars.ContextVar("workspace", default=None)


class _Lease:
    """What an array that was handed out, and every view of it, stands on; when it dies, the buffer is free again."""

    def __init__(self, buffer: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (buffer.ctypes.data, False),
            "version": 3,
        }


class Workspace:
    """A set of buffers that grows to what a step needs and then stays.

    Attributes
    ----------
    allocations : int
        Buffers that were ever made. It stops rising once every size has been seen.
    """

    def __init__(self) -> None:
        self._free: list[np.ndarray] = []  # by size, smallest first
        self._lock = threading.RLock()  # a lease may die at any moment, also inside `empty`
        self._entered: list[contextvars.Token] = []
        self.allocations = 0

    def __enter__(self) -> Workspace:
        self._entered.append(_current.set(self))
        return self

    def __exit__(self, *exception: Any) -> None:
        _current.reset(self._entered.pop())

    def __getstate__(self) -> dict:
        """A copied or pickled model starts with an empty workspace."""
        return {}

    def __setstate__(self, state: dict) -> None:
        self.__init__()  # type: ignore[misc]

    def __deepcopy__(self, memo: dict) -> Workspace:
        return Workspace()

    def free_bytes(self) -> int:
        """Bytes that are kept and not in use."""
        return sum(buffer.nbytes for buffer in self._free)

    def clear(self) -> None:
        """Give back to the system all that is not in use."""
        with self._lock:
            self._free.clear()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array on a buffer of this workspace."""
        nbytes = math.prod(shape) * dtype.itemsize
        with self._lock:
            buffer = self._best_fit(nbytes)
        if buffer is None:
            buffer = _aligned_bytes(nbytes)
            self.allocations += 1
        lease = _Lease(buffer, shape, dtype)
        weakref.finalize(lease, self._give_back, buffer).atexit = False
        return np.asarray(lease)

    def _best_fit(self, nbytes: int) -> np.ndarray | None:
        for place, buffer in enumerate(self._free):
            if nbytes <= buffer.nbytes:
                return self._free.pop(place) if buffer.nbytes <= WASTE * nbytes else None
        return None

    def _give_back(self, buffer: np.ndarray) -> None:
        with self._lock:
            self._free.append(buffer)
            self._free.sort(key=lambda free: free.nbytes)


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array whose contents are not set, from the current workspace if there is one; it starts on a cache line."""
    dtype = np.dtype(dtype)
    shape = shape if isinstance(shape, tuple) else (shape,)
    nbytes = math.prod(shape) * dtype.itemsize
    workspace = _current.get()
    if workspace is None or nbytes < LARGE_BYTES:
        return np.ndarray(shape, dtype, buffer=_aligned_bytes(nbytes))
    return workspace.empty(shape, dtype)


def zeros(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """`empty`, filled with zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def _aligned_bytes(nbytes: int) -> np.ndarray:
    """Memory that starts on a cache line, and on a huge page where it is large."""
    if nbytes < HUGE_PAGE // 2 or not hasattr(mmap, "MADV_HUGEPAGE"):
        raw, alignment = np.empty(nbytes + ALIGNMENT, np.uint8), ALIGNMENT
    else:
        pages = mmap.mmap(-1, nbytes + HUGE_PAGE)  # only what is touched becomes memory
        with contextlib.suppress(OSError):  # advice, which a system without huge pages refuses
            pages.madvise(mmap.MADV_HUGEPAGE)
        raw, alignment = np.frombuffer(pages, np.uint8), HUGE_PAGE
    start = -raw.ctypes.data % alignment
    return raw[start : start + nbytes]
