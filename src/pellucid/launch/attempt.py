"""One attempt: start it, watch it, and leave nothing of it behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pellucid.launch.hosts import SSH, Agent, Host
from pellucid.launch.lines import Lines
from pellucid.launch.processes import end_group, end_marked, started
from pellucid.launch.stops import Stops
from pellucid.launch.watch import Watch
from pellucid.runs.progress import DONE, FAILED

DONE_WORD, FAILED_WORD, LOST, STOPPED = "done", "failed", "lost", "stopped"

LOOK_S = 0.1
ASKED_S = 3.0
"""Between SIGTERM to mpiexec and SIGKILL."""
LEAVE_S = 15.0
"""A run that has said that it is over has so long to leave: Open MPI sometimes never does."""
SWEEP_S = 10.0
"""For ending everything on this machine, and at the same time limit on the others."""
SETTLE_S = 3.0
"""What was written on another machine may be seen here a little later."""
READ_S = 2.0


class Outcome(NamedTuple):
    """How an attempt ended."""

    how: str
    """DONE_WORD, FAILED_WORD, LOST or STOPPED."""
    reason: str
    """Of LOST, in words; of STOPPED, what kept it from saving."""
    last_lines: tuple[str, ...] = ()
    left: tuple[int, ...] = ()
    """Processes that could not be ended."""


@dataclass(frozen=True)
class Attempt:
    """What to start and how it is to be treated.

    Parameters
    ----------
    name : str
        Its word: what all its processes have in their environment.
    words : sequence of str
        The command line.
    environment : mapping
    watch : Watch
    hosts : sequence of Host
        The machines, where there are others.
    agent : Agent
    far : bool
        Whether the first process may be on another machine.
    stop_s : float
        How long the run may take to save when it is asked to.
    """

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    watch: Watch
    hosts: Sequence[Host] = ()
    agent: Agent = SSH
    far: bool = False
    stop_s: float = 60.0

    def run(self, stops: Stops) -> Outcome:
        """Until it is over, in whatever way."""
        process = started(self.words, self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = Lines(process)
        how, reason, clean = LOST, "the supervisor was interrupted", False
        try:
            how, reason = self._watched(process, stops)
            clean = how == DONE_WORD and self._left_by_itself(process, stops)
        finally:
            left = self._end(process, stops, clean)
            lines.finish(READ_S)
        return Outcome(how, reason, tuple(lines.last), tuple(left))

    def _watched(self, process: subprocess.Popen[bytes], stops: Stops) -> tuple[str, str]:
        """Look again and again, until the attempt is over or must be."""
        asked_s: float | None = None
        while True:
            ended = process.poll() is not None  # before the look, so that the look sees the last that was told
            over = self._told_over()
            if over is None and ended and self.far:
                over = self._settled()
            if over is not None:
                return over, ""
            if ended and stops.signum is not None:
                return STOPPED, ""
            if stops.at_once:
                return STOPPED, "a second signal came before it had saved"
            if ended:
                return LOST, f"{_program(self.words)} {ending(process.returncode)}"
            if stops.signum is not None and asked_s is None:
                asked_s = time.monotonic()
                _ask_to_save(process)
            if asked_s is not None and time.monotonic() - asked_s > self.stop_s:
                return STOPPED, f"it did not save within {self.stop_s:g} s"
            if asked_s is None and self.watch.is_stuck:
                within = self.watch.start_s if self.watch.is_starting else self.watch.stall_s
                return LOST, f"it got on no further for {within:g} s"
            time.sleep(LOOK_S)

    def _told_over(self) -> str | None:
        told = self.watch.look()
        phase = None if told is None else told.phase
        return DONE_WORD if phase == DONE else FAILED_WORD if phase == FAILED else None

    def _settled(self) -> str | None:
        until = time.monotonic() + SETTLE_S
        while (over := self._told_over()) is None and time.monotonic() < until:
            time.sleep(LOOK_S)
        return over

    def _left_by_itself(self, process: subprocess.Popen[bytes], stops: Stops) -> bool:
        until = time.monotonic() + LEAVE_S
        while process.poll() is None and time.monotonic() < until and not stops.at_once:
            time.sleep(LOOK_S)
        return process.poll() is not None

    def _end(self, process: subprocess.Popen[bytes], stops: Stops, clean: bool) -> list[int]:
        """Everything that belongs to the attempt, here and on the other machines."""
        end_group(process, 0.0 if stops.at_once else ASKED_S)
        if not clean:
            self.agent.sweep(self.hosts, self.name, SWEEP_S)
        return end_marked(self.name, SWEEP_S)


def ending(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"left with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _program(words: Sequence[str]) -> str:
    return "the process" if words[0] == sys.executable else Path(words[0]).name


def _ask_to_save(process: subprocess.Popen[bytes]) -> None:
    """SIGUSR1: the one signal that both MPIs hand on and let Python handle."""
    process.send_signal(signal.SIGUSR1 if hasattr(signal, "SIGUSR1") else signal.SIGTERM)
