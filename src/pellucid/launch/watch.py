"""How far an attempt is, by what it tells and by the watcher's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pellucid.runs.progress import FINISHING, PHASES, STARTING, TRAINING, Told, read_progress

PAUSE_S = 5.0
"""Somebody who looks many times a second and finds so much time gone did not run himself, nor did perhaps the rest:
such a pause, of a machine that slept, does not count."""

NOWHERE = (0, 0)


class Watch:
    """One attempt, watched.

    Parameters
    ----------
    path : path
        The file in which the run tells how far it is.
    attempt : str
        Only what has this word is believed.
    start_s, stall_s : float
        Seconds without any change after which the attempt is stuck: until the first step, and from then on.
    clock : callable
        Seconds that only grow.

    Attributes
    ----------
    told : Told or None
        The last that was heard.
    """

    def __init__(
        self, path: Path, attempt: str, start_s: float, stall_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path, self.attempt, self.clock = path, attempt, clock
        self.start_s, self.stall_s = start_s, stall_s
        self.told: Told | None = None
        self._changed_s = self._looked_s = clock()

    def look(self) -> Told | None:
        """Read the file again."""
        now = self.clock()
        if now - self._looked_s > PAUSE_S:
            self._changed_s += now - self._looked_s
        self._looked_s = now
        told = read_progress(self.path, self.attempt)
        if told is not None and told != self.told:
            self.told, self._changed_s = told, now
        return self.told

    @property
    def is_starting(self) -> bool:
        """Whether no step was made yet."""
        return self.told is None or self.told.phase == STARTING

    @property
    def is_stuck(self) -> bool:
        """Whether nothing changed for too long, as of the last look."""
        return self._looked_s - self._changed_s > (self.start_s if self.is_starting else self.stall_s)

    @property
    def reached(self) -> tuple[int, int]:
        """How far it came, to be compared: the step, and what it is about there; nowhere where it made no step."""
        if self.told is None or self.told.phase not in (TRAINING, FINISHING):
            return NOWHERE
        return self.told.step, PHASES.index(self.told.phase)

    @property
    def place(self) -> str:
        """How far it came, in words: it tells no more than twice a second."""
        if self.told is None or self.is_starting:
            return "before its first step"
        if self.told.phase == FINISHING:
            return f"after its {self.told.steps:,} steps, over the last files"
        return f"at about step {self.told.step:,} of {self.told.steps:,}"
