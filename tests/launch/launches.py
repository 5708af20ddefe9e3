"""Launches for tests: a supervisor over the fake mpiexec and the fake ranks, and what it left."""

import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pellucid.launch.finding import identified
from pellucid.launch.job import Job
from pellucid.launch.mpiexec import Mpiexec
from pellucid.launch.supervisor import Limits, Supervisor

HERE = Path(__file__).parent
PATIENT = Limits(start_s=60.0, stall_s=60.0, back_off_s=0.0)
"""For what ends by itself: nothing here waits so long."""
IMPATIENT = Limits(start_s=60.0, stall_s=2.0, back_off_s=0.0)
"""For what never would. A fake rank that is well is through within milliseconds."""


@dataclass
class Launch:
    """A folder with a plan, the run folder RUN in it, and the supervisor."""

    folder: Path
    supervisor: Supervisor

    @property
    def run_folder(self):
        return self.folder / "runs" / "fake"

    @property
    def finished(self):
        return (self.folder / "result").exists()

    def seen(self, attempt, rank=0):
        """What a process of an attempt was given; None where there was none."""
        path = self.folder / f"seen-{attempt}-{rank}.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def ranks(self):
        """Processes of each attempt."""
        attempts = (self.seen(number) for number in range(1, 30))
        return [told["ranks"] for told in attempts if told is not None]

    @property
    def command_lines(self):
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    def left(self):
        """The processes that are still there."""
        return processes_of(self.supervisor._launch)


def launch(folder, plan, limits=PATIENT, ranks=2, asked=("digits",), resumes=False, kind="MPICH", **settings):
    """A launch of the fake run, ready to begin."""
    (folder / "plan.json").write_text(json.dumps({str(attempt): fault for attempt, fault in plan.items()}))
    run = folder / "runs" / "fake"
    settings = {
        "mpiexec": None if ranks == 1 else Mpiexec(mpiexec_in(folder), kind, "9.8.7"),
        "limits": limits,
        "program": (sys.executable, str(HERE / "fake_rank.py"), str(folder)),
    } | settings
    return Launch(folder, Supervisor(Job(run, (*asked, "--run", str(run)), (), resumes), ranks, **settings))


def mpiexec_in(folder, name="mpiexec"):
    """A program that is the fake mpiexec."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "fake_mpiexec.py"}" "$@"\n')
    path.chmod(0o755)
    return path


def processes_of(word):
    """All whose attempt begins with the word."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdecimal() and f"PELLUCID_ATTEMPT={word}".encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def until(condition, what, within_s=60.0):
    """Wait for something that must come; the limit is only for what never does."""
    last = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < last, f"{what} did not come"
        time.sleep(0.02)
    return answer


def is_running(pid):
    """Whether it is there and not a corpse."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue


def supervisor_of(mpi, training, run, ranks, program="fault_me.py", survive=False, **limits):
    """A supervisor of ``pellucid train`` under an MPI; ``program`` is the command with something that goes wrong."""
    patient = Limits(**({"start_s": 100.0, "stall_s": 100.0, "back_off_s": 0.0} | limits))
    return Supervisor(
        Job(run, (*training, "--run", str(run))),
        ranks,
        identified(mpi.mpiexec),
        patient,
        oversubscribe=True,
        survive=survive,
        program=(sys.executable, str(HERE / program), "train"),
    )


def check_counts(folder, steps, steps_an_epoch, images):
    """Of the steps that the run consists of, each the last time it was made: every epoch has every image once.

    The folder is that of `count_me`. A step was made again in a later attempt, or in the same one by fewer processes.
    """
    made = {}  # step -> (attempt, -processes) -> images of each process
    for file in folder.iterdir():
        for line in file.read_text().splitlines():
            attempt, step, processes, *own = map(int, line.split())
            made.setdefault(step, {}).setdefault((attempt, -processes), []).append(own)
    assert sorted(made) == list(range(1, steps + 1))
    for epoch in range(steps // steps_an_epoch):
        seen = Counter()
        for step in range(epoch * steps_an_epoch + 1, (epoch + 1) * steps_an_epoch + 1):
            attempt, processes = max(made[step])
            parts = made[step][attempt, processes]
            assert len(parts) == -processes, f"step {step} was made by all"
            for part in parts:
                seen.update(part)
        assert len(seen) == images and set(seen.values()) == {1}, f"epoch {epoch + 1}"
    return made
