"""The benchmark of a killed process: how it counts, and once for real."""

import subprocess
import sys

import pytest

from benchmarks import lost_process
from mpi_here import one_mpi


class Clock:
    """Seconds that pass with the steps."""

    now = 0.0

    def monotonic(self):
        return self.now


def test_the_pause_is_the_longest_time_without_a_new_step(monkeypatch):
    clock, killed = Clock(), []
    monkeypatch.setattr(lost_process, "time", clock)
    monkeypatch.setattr(lost_process, "_process", lambda run, rank: 4711)
    monkeypatch.setattr(lost_process.os, "kill", lambda pid, signum: killed.append((clock.now, pid)))

    def steps():
        for seconds, step in [(0, 8), (1, 9), (1, 10), (1, 11), (4, 10), (1, 11), (1, 12), (1, 13)]:
            clock.now += seconds
            yield step
        for step in range(14, 40):
            clock.now += 1
            yield step

    assert lost_process._cost(steps(), "run", 1, 10) == (6.0, 2), "4 s of nothing, and two steps again before step 12"
    assert killed == [(2, 4711)]


@one_mpi
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it finds the process in /proc")
@pytest.mark.timeout(300)
def test_it_measures(mpi):
    command = [sys.executable, "-m", "benchmarks.lost_process", "digits", "--rounds", "1", "--step", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert "MPICH, new attempt" in done.stdout and "steps again" in done.stdout


@one_mpi
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it finds the process in /proc")
def test_a_launch_that_fails_says_why(mpi):
    command = [sys.executable, "-m", "benchmarks.lost_process", "no-such-data", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "it ended before it had gone on" in done.stderr and "no-such-data" in done.stderr
