"""What a run does while somebody watches over it: it tells how far it is, and ends when nobody could."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

from pellucid.runs.progress import FINISHING, LIMITS_VARIABLE, STARTING, TRAINING, Progress
from pellucid.training import Hook, Solver

LOOKS_S = 0.5
"""Between two looks at whether the run still gets on."""

PARENT_DEATH_SIGNAL = 1  # of Linux's prctl


class WatchedHook(Hook):
    """Tell of every step."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_begin(self, solver: Solver) -> None:
        self.progress.beat(STARTING, solver.iteration, solver.num_iterations)

    def on_step(self, solver: Solver) -> None:
        self.progress.beat(TRAINING, solver.iteration, solver.num_iterations)

    def on_train_end(self, solver: Solver) -> None:
        self.progress.beat(FINISHING)


def end_when_stuck(progress: Progress, environment: Mapping[str, str] = os.environ) -> threading.Thread | None:
    """End this process by SIGKILL once it has got on no further for longer than the watcher said.

    It waits twice as long as the watcher does, who thus comes first: this is for processes that he cannot reach any
    more, such as those on a machine that was cut off, which would wait in MPI for ever, on a whole core.

    Raises
    ------
    ValueError
        The variable with the limits holds anything else than two numbers.
    """
    if LIMITS_VARIABLE not in environment:
        return None
    try:
        start_s, stall_s = map(float, environment[LIMITS_VARIABLE].split(","))
    except ValueError:
        raise ValueError(
            f"{LIMITS_VARIABLE} is {environment[LIMITS_VARIABLE]!r}; it must be two numbers: 600,60"
        ) from None

    def watch() -> None:
        while not is_stuck(progress, 2 * start_s, 2 * stall_s, time.monotonic()):
            time.sleep(LOOKS_S)
        print("pellucid: this process got on no further; it ends", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    thread = threading.Thread(target=watch, name="pellucid-watched", daemon=True)
    thread.start()
    return thread


def is_stuck(progress: Progress, start_s: float, stall_s: float, now_s: float) -> bool:
    """Whether the last sign of progress is too old."""
    return now_s - progress.last_beat_s > (start_s if progress.phase == STARTING else stall_s)


def end_with_parent() -> None:
    """Linux ends this process when the one that started it is gone; elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went in between
        os.kill(os.getpid(), signal.SIGKILL)
