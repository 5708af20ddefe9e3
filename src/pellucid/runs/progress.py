"""What a run tells whoever watches over it: one small file, written again as long as the run gets on.

The watcher names the file and itself in the environment; without that, nothing is written. It goes by what changes in
the file and by its own clock, so that clocks of several machines need not agree.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_VARIABLE, ATTEMPT_VARIABLE = "PELLUCID_PROGRESS", "PELLUCID_ATTEMPT"
"""The file, and a word that tells this attempt from all others: only a file that has it is believed."""
SURVIVE_VARIABLE = "PELLUCID_SURVIVE"
"""Where a process is lost, the others go on without it, if their MPI lets them and they are so many: "1"."""
LIMITS_VARIABLE = "PELLUCID_LIMITS"
"""Seconds without progress until a process ends itself, while it starts and afterwards: "600,60"."""

STARTING, TRAINING, FINISHING, DONE, FAILED = PHASES = ("starting", "training", "finishing", "done", "failed")
"""Reading and compiling; training; the last look at the test images and the files; all is written; given up, where
trying again would change nothing."""

LEAST_S = 0.5
"""Between two writes of the same phase."""


@dataclass(frozen=True)
class Told:
    """What the file says."""

    attempt: str
    phase: str
    step: int = 0
    steps: int = 0
    ranks: int = 1
    beats: int = 0
    """How often the run got on, counted by itself."""
    status: int = 0
    """The exit status of a run that gave up."""
    message: str = ""


class Progress:
    """The run's side.

    Parameters
    ----------
    path : path or None
        The file. None: nothing is written.
    attempt : str
    ranks : int
        How many processes train.
    """

    def __init__(self, path: str | os.PathLike[str] | None, attempt: str = "", ranks: int = 1) -> None:
        self.path, self.attempt, self.ranks = path, attempt, ranks
        self.last_beat_s = time.monotonic()
        self.phase = STARTING
        self._beats, self._step, self._steps = 0, 0, 0
        self._written_s = -LEAST_S

    @classmethod
    def from_environment(cls, rank: int = 0, ranks: int = 1, environment: Mapping[str, str] | None = None) -> Progress:
        """As the watcher asked for; only the first process writes."""
        given = os.environ if environment is None else environment
        path = given.get(FILE_VARIABLE) if rank == 0 else None
        return cls(path or None, given.get(ATTEMPT_VARIABLE, ""), ranks)

    def take_over(self, ranks: int, environment: Mapping[str, str] | None = None) -> None:
        """Others are lost; so many are left, of which this is now the first."""
        given = os.environ if environment is None else environment
        self.path, self.ranks = given.get(FILE_VARIABLE) or None, ranks

    def beat(self, phase: str | None = None, step: int | None = None, steps: int | None = None) -> None:
        """The run got on. Cheap: the file is written twice a second at most, and when the phase changes."""
        self.last_beat_s = time.monotonic()
        self._beats += 1
        is_new = phase is not None and phase != self.phase
        self.phase = phase or self.phase
        self._step = self._step if step is None else step
        self._steps = self._steps if steps is None else steps
        if is_new or self.last_beat_s - self._written_s >= LEAST_S:
            self._write()

    def done(self) -> None:
        """Everything is written."""
        self.beat(DONE)

    def failed(self, status: int, message: str) -> None:
        """The run gives up, and the next attempt would, too."""
        self.phase = FAILED
        self._write(status=status, message=message)

    def _write(self, **more: Any) -> None:
        if self.path is None:
            return
        told = Told(self.attempt, self.phase, self._step, self._steps, self.ranks, self._beats, **more)
        fresh = Path(f"{os.fspath(self.path)}.new")  # renamed, so that it is read whole; not forced to the disk, for
        fresh.write_text(json.dumps(told.__dict__), encoding="utf-8")  # after a power failure nobody asks for it
        fresh.replace(self.path)
        self._written_s = time.monotonic()


def read_progress(path: str | os.PathLike[str], attempt: str) -> Told | None:
    """The watcher's side: what the file says of this attempt; None where it says nothing (yet) that can be read."""
    try:
        content = json.loads(Path(path).read_bytes())
        told = Told(**content)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return told if told.attempt == attempt and told.phase in PHASES else None
