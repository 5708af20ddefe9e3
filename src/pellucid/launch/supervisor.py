"""Attempts, one after the other, until the run is done or there is no point in another."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.launch.attempt import DONE_WORD, FAILED_WORD, STOPPED, Attempt, Outcome
from pellucid.launch.guard import Guard
from pellucid.launch.hosts import SSH, Agent, Host, total
from pellucid.launch.job import Job
from pellucid.launch.lines import write
from pellucid.launch.mpiexec import Mpiexec
from pellucid.launch.processes import can_be_found
from pellucid.launch.stops import Stopped, Stops
from pellucid.launch.watch import NOWHERE, Watch
from pellucid.runs.progress import ATTEMPT_VARIABLE, FILE_VARIABLE, LIMITS_VARIABLE, SURVIVE_VARIABLE

GAVE_UP, BAD_INPUT = 1, 2
PROBE_S = 10.0
"""For a host to answer."""
LOOK_S = 0.1
MOST_BACK_OFF_S = 60.0
SHOWN_LINES = 8
PROGRAM = (sys.executable, "-m", "pellucid", "train")


@dataclass(frozen=True)
class Limits:
    """When the supervisor loses patience.

    Parameters
    ----------
    start_s, stall_s : float
        Seconds without progress: until the first step, and from then on.
    restarts : int
        Attempts after the first one.
    fruitless : int
        Attempts in a row that got no further than those before.
    min_ranks : int
        With fewer processes there is no attempt.
    back_off_s : float
        Before the next attempt; twice as long after each fruitless one.
    """

    start_s: float = 600.0
    stall_s: float = 60.0
    restarts: int = 20
    fruitless: int = 6
    min_ranks: int = 1
    back_off_s: float = 1.0


@dataclass
class Supervisor:
    """What is to be run, with what, where, and how patiently.

    Parameters
    ----------
    job : Job
    ranks : int
        Processes.
    mpiexec : Mpiexec or None
        None: the one process is started without.
    limits : Limits
    hosts : sequence of Host
        Machines with their places; none where mpiexec finds them itself or there is this one alone.
    agent : Agent
    oversubscribe : bool
        More processes than processors.
    allocated : bool
        A scheduler says which machines there are.
    survive : bool
        Where a process is lost, the others go on without it, if they can: of Open MPI alone.
    program : sequence of str
        Before the words of the job.
    own_words : sequence of str
        The options of the launch, for the advice how to go on.
    """

    job: Job
    ranks: int
    mpiexec: Mpiexec | None
    limits: Limits = Limits()
    hosts: Sequence[Host] = ()
    agent: Agent = SSH
    oversubscribe: bool = False
    allocated: bool = False
    survive: bool = False
    program: Sequence[str] = PROGRAM
    own_words: Sequence[str] = ()
    _launch: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _attempts: int = field(default=0, init=False)
    _fruitless: int = field(default=0, init=False)
    _stepless: int = field(default=0, init=False)
    _reached: tuple[int, int] = field(default=NOWHERE, init=False)

    @property
    def progress_file(self) -> Path:
        """Where the run tells how far it is: beside its folder, which is made anew by the run."""
        run = self.job.run.absolute()
        return run.parent / f".{run.name}.progress.json"

    def run(self) -> int:
        """Everything. Returns the exit status.

        Raises
        ------
        Stopped
            A signal came; it is a KeyboardInterrupt.
        ValueError
            At the very start, a host does not answer.
        """
        is_new = not self.progress_file.parent.exists()
        self.progress_file.parent.mkdir(parents=True, exist_ok=True)
        if not can_be_found():
            say("this system does not show whose processes are whose: what mpiexec itself leaves behind stays")
        try:
            with Stops() as stops, Guard() as guard:
                return self._attempt_until_over(stops, guard)
        finally:
            self.progress_file.unlink(missing_ok=True)
            if is_new and not any(self.progress_file.parent.iterdir()):
                self.progress_file.parent.rmdir()

    def _attempt_until_over(self, stops: Stops, guard: Guard) -> int:
        while True:
            hosts = self._answering(stops)
            self._leave_if_stopped(stops)
            ranks = self._ranks(hosts)
            if hosts is not None and ranks >= self.limits.min_ranks:
                outcome, watch = self._attempted(ranks, hosts, stops, guard)
                status = self._status(outcome, watch, stops)
                if status is not None:
                    return status
                last_lines: Sequence[str] = outcome.last_lines
            else:
                self._attempts += 1
                self._fruitless += 1
                say(
                    f"attempt {self._attempts} has to wait: too few hosts answer for "
                    f"{_counted(self.limits.min_ranks, 'process')}"
                )
                last_lines = ()
            if self._is_hopeless():
                return self._give_up(last_lines)
            self._wait(stops)

    def _answering(self, stops: Stops) -> Sequence[Host] | None:
        """The hosts to take for the next attempt; None where there should be some and none answers."""
        if not self.hosts:
            return ()
        answering = self.agent.answering(self.hosts, PROBE_S)
        silent = [host.name for host in self.hosts if host not in answering]
        named = f"{', '.join(silent)} {'does' if len(silent) == 1 else 'do'} not answer"
        if silent and not self._attempts and stops.signum is None:
            raise ValueError(
                f"launch: {named} within {PROBE_S:g} s to: "
                f"{shlex.join(self.agent.words(silent[0], ['true']))}; correct --hosts, or leave it out"
            )
        if silent:
            say(f"{named} and {'is' if len(silent) == 1 else 'are'} left out")
        return answering or None

    def _ranks(self, hosts: Sequence[Host] | None) -> int:
        """Processes of the next attempt: as many as were asked for, if they can be had."""
        if not self.hosts:
            return self.ranks
        places = total(hosts or ())
        return min(self.ranks, places) if len(hosts or ()) < len(self.hosts) else self.ranks

    def _attempted(
        self, ranks: int, hosts: Sequence[Host], stops: Stops, guard: Guard
    ) -> tuple[Outcome, Watch]:  # fmt: skip
        """One more attempt, from the beginning to the end."""
        self._attempts += 1
        if self._attempts > 1:
            self.job.clear()
        self.progress_file.unlink(missing_ok=True)
        name = f"{self._launch}-{self._attempts}"
        guard.attempt(name, self.agent, hosts, self.progress_file)
        environment = self._environment(name)
        words = [*self.program, *self.job.words()]
        if self.mpiexec is not None:
            words = self.mpiexec.command(words, ranks, environment, hosts, self.agent, self.oversubscribe, self.survive)
        watch = Watch(self.progress_file, name, self.limits.start_s, self.limits.stall_s)
        self._announce(ranks)
        far = bool(hosts) or self.allocated
        attempt = Attempt(name, words, environment, watch, hosts, self.agent, far, stop_s=self.limits.stall_s)
        return attempt.run(stops), watch

    def _environment(self, name: str) -> dict[str, str]:
        given: Mapping[str, str] = os.environ
        own = {
            FILE_VARIABLE: str(self.progress_file),
            ATTEMPT_VARIABLE: name,
            LIMITS_VARIABLE: f"{self.limits.start_s:g},{self.limits.stall_s:g}",
        }
        own |= {SURVIVE_VARIABLE: str(self.limits.min_ranks)} if self.survive else {}
        return (dict(given) if self.mpiexec is None else self.mpiexec.environment(given)) | own

    def _announce(self, ranks: int) -> None:
        under = f" ({self.mpiexec})" if self.mpiexec is not None else ""
        goes_on = ", from the newest checkpoint" if self._attempts > 1 and self.job.has_begun else ""
        say(f"attempt {self._attempts}: {_counted(ranks, 'process')}{under}{goes_on}")

    def _status(self, outcome: Outcome, watch: Watch, stops: Stops) -> int | None:
        """The exit status where it is over; None where there is to be another attempt."""
        for number in outcome.left:
            say(f"process {number} could not be ended")
        if outcome.how == DONE_WORD:
            if self._attempts > 1:
                say(f"done, after {self._attempts} attempts")
            return 0
        if outcome.how == STOPPED:
            assert stops.signum is not None
            forced = f" {watch.place}: {outcome.reason}" if outcome.reason else ""
            raise Stopped(f"stopped{forced}; {self._how_to_go_on()}", stops.signum)
        if outcome.how == FAILED_WORD and not self._may_pass(watch):
            return self._failed(outcome, watch)
        reason = outcome.reason or "it gave up before its first step, though earlier attempts had made some"
        say(f"attempt {self._attempts} was lost {watch.place}: {reason}")
        self._count(watch)
        return None

    def _may_pass(self, watch: Watch) -> bool:
        """Whether a run that gave up did so over something that was in order before: a file server, a full disk."""
        assert watch.told is not None
        return watch.told.status == BAD_INPUT and self._reached > NOWHERE and watch.told.step == 0

    def _failed(self, outcome: Outcome, watch: Watch) -> int:
        """The run itself gave up; it has mostly said why."""
        assert watch.told is not None
        message = watch.told.message
        if message and not any(message[:80] in line for line in outcome.last_lines):
            say(message)
        return watch.told.status or GAVE_UP

    def _count(self, watch: Watch) -> None:
        """Was it any good?"""
        self._stepless = self._stepless + 1 if watch.reached == NOWHERE else 0
        self._fruitless = 0 if watch.reached > self._reached else self._fruitless + 1
        self._reached = max(self._reached, watch.reached)
        if self._stepless >= 2 and self.ranks > self.limits.min_ranks:
            self.ranks -= 1
            say(f"{self._stepless} attempts in a row made no step: the next has one process fewer")

    def _is_hopeless(self) -> bool:
        return self._attempts > self.limits.restarts or self._fruitless >= self.limits.fruitless

    def _give_up(self, last_lines: Sequence[str]) -> int:
        if self._fruitless >= self.limits.fruitless:
            why = f"{_counted(self._fruitless, 'attempt')} in a row got no further"
        else:
            why = f"{_counted(self._attempts, 'attempt')} did not finish the run"
        if last_lines:
            said = "".join(f"\n    {line}" for line in last_lines[-SHOWN_LINES:])
            say(f"the last lines that the processes said:{said}")
        say(f"given up: {why}; {self._how_to_go_on()}")
        return GAVE_UP

    def _how_to_go_on(self) -> str:
        if not self.job.has_begun and not self.job.resumes:
            return "there is no run yet to go on with"
        words = ["pellucid", "launch", *self.own_words, "train", *self.job.going_on]
        return f"go on with: {shlex.join(words)}"

    def _wait(self, stops: Stops) -> None:
        """Whatever was wrong may take a while to pass."""
        seconds = min(MOST_BACK_OFF_S, self.limits.back_off_s * 2 ** max(0, self._fruitless - 1))
        until = time.monotonic() + seconds
        while stops.signum is None and time.monotonic() < until:
            time.sleep(LOOK_S)
        self._leave_if_stopped(stops)

    def _leave_if_stopped(self, stops: Stops) -> None:
        if stops.signum is not None:
            raise Stopped(f"stopped between two attempts; {self._how_to_go_on()}", stops.signum)


def _counted(number: int, thing: str) -> str:
    plural = "es" if thing.endswith("s") else "s"
    return f"{number} {thing}{'' if number == 1 else plural}"


def say(text: str) -> None:
    """A line of the supervisor's own, on standard error: standard output is the run's."""
    write(sys.stderr, f"launch: {text}\n")
