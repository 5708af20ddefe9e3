"""A limit on the kernels' threads that holds while any of several Python threads needs it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack

from pellucid.kernels.jit import at_most_threads


class _Limits:
    """The limits in force; the smallest one counts.

    The kernels have one setting for the whole process. Estimators that joblib fits in several Python threads come and
    go in any order, so each cannot simply put back what it found.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: list[int] = []
        self.setting = ExitStack()

    def add(self, count: int) -> None:
        with self.lock:
            self.counts.append(count)
            self._set()

    def remove(self, count: int) -> None:
        with self.lock:
            self.counts.remove(count)
            self._set()

    def _set(self) -> None:
        self.setting.close()  # back to what was set before the first limit
        if self.counts:
            self.setting.enter_context(at_most_threads(min(self.counts)))


_limits = _Limits()


def _forget() -> None:
    """A forked child has none of the threads that set limits."""
    global _limits
    _limits = _Limits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def limited(count: int | None) -> Iterator[None]:
    """Let kernels use no more than ``count`` threads inside a ``with``; None: no limit of its own."""
    if count is None:
        yield
        return
    limits = _limits
    limits.add(count)
    try:
        yield
    finally:
        limits.remove(count)
