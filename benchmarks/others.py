"""How much processor time other programs took meanwhile: on a busy machine no number is worth much."""

from __future__ import annotations

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")


class Others:
    """Starts to count when it is made."""

    def __init__(self) -> None:
        self.started = self._now()

    def share(self) -> float:
        """The part of all cores' time since then that others used; 0 where the system can't tell."""
        ended = self._now()
        if self.started is None or ended is None:
            return 0.0
        return share_of_others(self.started[0], ended[0], ended[1] - self.started[1])

    def _now(self) -> tuple[str, float] | None:
        try:
            return STAT.read_text(), time.process_time()
        except OSError:
            return None


def share_of_others(before: str, after: str, own_s: float) -> float:
    """The same, from two texts of /proc/stat and the seconds of processor time that this process used in between."""
    first, last = _jiffies(before), _jiffies(after)
    elapsed = [end - start for start, end in zip(first, last, strict=True)]
    total = sum(elapsed)
    if total <= 0:
        return 0.0
    busy = total - elapsed[3] - elapsed[4]  # all but idle and waiting for a disk
    return max(0.0, busy - own_s * os.sysconf("SC_CLK_TCK")) / total


def _jiffies(stat: str) -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal, over all cores. What guests use is in user's already."""
    return [int(field) for field in stat.splitlines()[0].split()[1:9]]
