"""How much memory is left, as far as the system tells, and how threads share what they may take."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """The memory that can be had without pushing anything else out; None where the system does not tell.

    On Linux what the kernel thinks is available, and no more than the limit on the process's group (a container's, or
    that of a job) leaves. Elsewhere half of the machine's memory.
    """
    known = [number for number in (_available_on_linux(), _left_in_group()) if number is not None]
    if known:
        return min(known)
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _available_on_linux() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _left_in_group() -> int | None:
    """What the limit of the control group (version 2) leaves; pages of files count as free, for they can be dropped."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        below = next(line for line in _OWN_GROUP.read_text().splitlines() if line.startswith("0::"))[3:]
        folder = _GROUPS / below.lstrip("/")
        if not (folder / "memory.max").exists():  # in a container the group is at the root of what is seen
            folder = _GROUPS
        most = int((folder / "memory.max").read_text())  # "max" is no number: there is no limit
        used = int((folder / "memory.current").read_text())
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(counts.get("inactive_file", 0)) + int(counts.get("active_file", 0)))
    return None


class Room:
    """So much of something, for several threads: who needs more of it than is left waits for the others.

    Parameters
    ----------
    most : how much there is. Who needs more gets all of it, alone.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """So much of it, for as long as the block runs."""
        amount = min(amount, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= amount)
            self._left -= amount
        try:
            yield
        finally:
            with self._changed:
                self._left += amount
                self._changed.notify_all()
