"""How kernels are compiled and called: the options in one place.

    @inner     a function that kernels call; it becomes part of them
    @kernel    a function that Python calls: compiled once, kept on disk, its `prange` loop run by several threads

**One kernel runs at a time**, on all threads: a lock sees to it. Several Python threads may therefore call in at once
under any of Numba's threading layers (the plainest of which would end the process), and nobody shares a core with
another.

**A forked child** (multiprocessing, joblib) inherits a pool of threads that no longer exist, and the OpenMP layer ends
a process that uses it. There the same functions run on one thread; `spawn` and `forkserver` keep all threads.

With `NUMBA_DISABLE_JIT=1` both decorators leave the function as it is: plain Python, for a debugger and for tests.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
from numba.np.ufunc import parallel as numba_threads

from pellucid import check
from pellucid.kernels.store import KernelCache

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
"""No lock of Python's while a kernel runs; x / 0 is inf, not an exception; a * b + c may be rounded once.

No other freedom is given: sums are added in the order written, and NaN and infinity keep their meaning.
"""

inner = numba.njit(**OPTIONS)
inner_unfused = numba.njit(**OPTIONS | {"fastmath": False})
"""As `inner`, but each operation is rounded by itself."""


class Kernel:
    """A function that is compiled when it is first called with new types."""

    def __init__(self, function: Callable[..., None]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *arguments: Any) -> None:
        with _state.lock:
            if _state.forked or numba.config.DISABLE_JIT:
                self.on_one_thread(*arguments)
            else:
                _state.launched = True
                if numba.get_num_threads() != threads():  # or those without a share would wait, on a core each
                    numba.set_num_threads(threads())
                self.on_all_threads(*arguments)

    @functools.cached_property
    def on_all_threads(self) -> Any:
        """Compiled with `prange` as threads."""
        return _compiled(self.function, parallel=True)

    @functools.cached_property
    def on_one_thread(self) -> Any:
        """Compiled with `prange` as a plain loop."""
        return _compiled(self.function, parallel=False)


def _compiled(function: Any, parallel: bool) -> Any:
    compiled = numba.njit(function, parallel=parallel, **OPTIONS)
    if not numba.config.DISABLE_JIT:
        compiled._cache = KernelCache(function, parallel)
    return compiled


def kernel(function: Callable[..., None]) -> Kernel:
    """Compile a function that Python calls. It takes arrays and integers, writes into its arguments, returns
    nothing."""
    return Kernel(function)


class _State:
    """What this process must remember about threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.launched = False
        self.forked = False
        self.threads: int | None = None

    def after_fork(self) -> None:
        self.lock = threading.RLock()  # another thread of the parent may have held it
        self.forked = self.forked or self.launched or numba_threads._is_initialized


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.after_fork)


def threads() -> int:
    """How many threads a kernel uses: `set_threads`, else Numba's setting (NUMBA_NUM_THREADS, the cores it may use)."""
    if _state.forked:
        return 1
    return _state.threads or numba.config.NUMBA_NUM_THREADS


@contextlib.contextmanager
def at_most_threads(count: int) -> Iterator[None]:
    """Let kernels use no more than ``count`` threads inside a ``with``."""
    before = _state.threads
    set_threads(min(count, threads()))
    try:
        yield
    finally:
        _state.threads = before


def set_threads(count: int | None) -> None:
    """Let kernels use ``count`` threads from now on; None: as many as Numba finds. More than that can't be had."""
    most = numba.config.NUMBA_NUM_THREADS
    if count is not None:
        count = check.whole_number("set_threads", "count", count, least=1)
        if count > most:
            raise ValueError(
                f"set_threads: count is {count}; it must be at most {most}, the cores this process may use"
            )
    _state.threads = count
