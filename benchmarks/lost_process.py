"""What a killed process costs: the time until training makes a step that it had not made before.

    python -m benchmarks.lost_process digits
    python -m benchmarks.lost_process cifar10 --recipe quick --open-mpi build/openmpi/bin/mpiexec

Two processes of one thread train under ``pellucid launch``; one of the two, drawn at random, is killed at a step, and
the longest time from then on without a new step is measured. In turn: MPICH and Open MPI, whose launches start all
processes again from the newest checkpoint, and Open MPI with ``--survive``, where the other process goes on. Linux.
"""

from __future__ import annotations

import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cyclopts import App

from benchmarks import machine
from benchmarks.scaling import MPIEXEC
from pellucid.extras.mpi import STARTED_BY

PROGRAM = str(Path(sys.prefix) / "bin" / "pellucid")
STEP = re.compile(r"\(Iteration (\d+) / ")
STEPS_AFTER = 20
EPOCHS = "100"
"""More than are ever trained."""
app = App(name="python -m benchmarks.lost_process", help_format="plaintext", version_flags=[])


class Loss(NamedTuple):
    """What one killed process cost."""

    pause_s: float
    again: int
    """Steps that were made once more."""


@app.default
def lost_process(
    data: str, recipe: str = "tutorial", rounds: int = 5, step: int = 60, open_mpi: Path | None = None
) -> None:
    """Measure and print the medians.

    Parameters
    ----------
    data
        What to train on.
    recipe
        And how.
    rounds
        How often each way is measured.
    step
        A process is killed after this one.
    open_mpi
        An mpiexec of Open MPI 5. Without it, only MPICH's is measured.
    """
    ways: dict[str, list[str]] = {"MPICH, new attempt": ["--mpiexec", MPIEXEC]}
    if open_mpi is not None:
        own = ["--mpiexec", str(open_mpi), "--oversubscribe"]
        ways |= {"Open MPI, new attempt": own, "Open MPI, --survive": [*own, "--survive"]}
    found: dict[str, list[Loss]] = {way: [] for way in ways}
    print(f"{machine.describe(2)['processor']}, 2 processes of 1 thread, {data}, recipe {recipe}, killed after {step}")
    training = ["train", data, "--recipe", recipe, "--threads", "1", "--epochs", EPOCHS]
    rng = random.Random(0)
    for _ in range(rounds):
        victim = rng.randrange(2)
        for way, words in ways.items():
            found[way].append(measured([*words, *training], victim, step))
    for way, losses in found.items():
        pauses = ", ".join(f"{loss.pause_s:.2f}" for loss in losses)
        pause, again = (statistics.median(numbers) for numbers in zip(*losses, strict=True))
        print(f"{way:24s} {pause:6.2f} s ({pauses}), {again:g} steps again", flush=True)


def measured(words: list[str], victim: int, step: int) -> Loss:
    """Train, kill, and wait until it has gone on."""
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        command = [PROGRAM, "launch", "-n", "2", *words, "--print-every", "1", "--run", run]
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        with (Path(folder) / "said").open("w+") as said:
            launch = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment, start_new_session=True
            )
            try:
                return _cost(_steps(launch), run, victim, step)
            except StopIteration:
                said.seek(0)
                raise SystemExit(f"{' '.join(command)}: it ended before it had gone on\n{said.read()}") from None
            finally:
                launch.send_signal(signal.SIGTERM)
                launch.communicate()


def _steps(launch: subprocess.Popen[str]) -> Iterator[int]:
    """The numbers of the steps as they are told."""
    assert launch.stdout is not None
    for line in launch.stdout:
        if match := STEP.match(line):
            yield int(match[1])


def _cost(steps: Iterator[int], run: str, victim: int, step: int) -> Loss:
    newest = next(number for number in steps if number >= step)
    os.kill(_process(run, victim), signal.SIGKILL)
    pause_s, again, since, last = 0.0, 0, time.monotonic(), newest + STEPS_AFTER
    while newest < last:
        number = next(steps)
        if number <= newest:
            again += 1
            continue
        now = time.monotonic()
        pause_s, newest, since = max(pause_s, now - since), number, now
    return Loss(pause_s, again)


def _process(run: str, rank: int) -> int:
    """The number of the process that has this rank in that run."""
    told = [f"{name}={rank}".encode() for name in STARTED_BY]
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if run.encode() in words and any(one in environment for one in told):
            return int(folder.name)
    raise SystemExit(f"there is no process of rank {rank} in {run}")


if __name__ == "__main__":
    app()
