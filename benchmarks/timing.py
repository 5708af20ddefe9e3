"""Timing several sides in turn, so that a machine that is slower for a while is slower for all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Settings(NamedTuple):
    """How carefully to measure."""

    repetitions: int = 7
    least_s: float = 0.03
    """A repetition calls a side as often as it takes to last so long."""
    pause_s: float = 0.02
    """Before each side: threads of the one before keep spinning for some milliseconds in the hope of more work."""


QUICK = Settings(repetitions=3, least_s=0.01)


def interleaved(
    sides: dict[str, Callable[[], Any]],
    settings: Settings,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, list[float]]:
    """Seconds a call of every side, one number a repetition. Who comes first changes from repetition to repetition."""
    calls = {}
    for name, run in sides.items():
        run()  # warm
        once = min(_seconds(run, 1, clock) for _ in range(2))
        calls[name] = max(1, math.ceil(settings.least_s / max(once, 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for _ in range(settings.repetitions):
        for name in order:
            sleep(settings.pause_s)
            if calls[name] > 1:
                sides[name]()  # brings its own data back into the caches, as in a loop of such calls
            times[name].append(_seconds(sides[name], calls[name], clock))
        order = order[1:] + order[:1]
    return times


def _seconds(run: Callable[[], Any], calls: int, clock: Callable[[], float]) -> float:
    """Seconds a call, over so many calls."""
    started = clock()
    for _ in range(calls):
        run()
    return (clock() - started) / calls
