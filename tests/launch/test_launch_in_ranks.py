"""A launch for real: MPI, training, and processes that are lost at a step. It ends as if nothing had happened."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from launches import processes_of, until

from mpi_here import every_mpi
from pellucid.metrics import read_metrics
from pellucid.training import load_checkpoint
from program import PROGRAM

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="who belongs to an attempt is read from /proc"),
    pytest.mark.timeout(300),
    pytest.mark.slow,
]

TRAINING = ("digits", "--epochs", "10", "--filters", "4", "--hidden", "8", "--threads", "1")
STEPS = 270
"""27 an epoch; it saves at the end of each."""


@pytest.fixture
def launched(tmp_path, real):
    """``launched(mpi, faults)`` is a finished launch: its exit status, and the supervisor."""

    def launch(mpi, faults, **limits):
        supervisor = real(faults, mpi, TRAINING, tmp_path / "run", 2, **limits)
        return supervisor.run(), supervisor

    return launch


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What two processes reach to which nothing happens, by the MPI."""
    known = {}

    def weights(mpi):
        if mpi.name not in known:
            folder = tmp_path_factory.mktemp("whole") / "run"
            done = mpi.pellucid(2, "train", *TRAINING, "--run", folder)
            assert done.returncode == 0, done.stderr
            known[mpi.name] = weights_in(folder)
        return known[mpi.name]

    return weights


def weights_in(folder):
    return load_checkpoint(folder / "checkpoint.safetensors")["params"]


def losses(folder):
    return read_metrics(folder / "metrics.jsonl").steps


@every_mpi
@pytest.mark.parametrize(
    "faults, attempts",
    [
        ("1 1 40 kill,2 0 101 kill,3 1 225 kill", 4),
        ("1 1 101 raise", 2),
        ("1 0 101 exit", 2),
    ],
)
def test_a_lost_process_changes_nothing_but_the_time(mpi, launched, uninterrupted, tmp_path, capfd, faults, attempts):
    status, supervisor = launched(mpi, faults)
    out, err = capfd.readouterr()
    assert status == 0, out + err
    assert err.count("launch: attempt ") == 2 * attempts - 1, "each was announced, and all but the last were lost"
    check_same(tmp_path / "run", uninterrupted(mpi))
    assert processes_of(supervisor._launch) == []
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@every_mpi
@pytest.mark.parametrize("fault", ["1 1 150 stop", "1 1 150 vanish"])
def test_a_process_that_the_others_wait_for_in_vain(mpi, launched, uninterrupted, tmp_path, capfd, fault):
    whole = uninterrupted(mpi)  # first of all, since it compiles what is to be compiled
    status, supervisor = launched(mpi, fault, stall_s=15.0)
    out, err = capfd.readouterr()
    assert status == 0, out + err
    assert "attempt 1 was lost at about step " in err
    check_same(tmp_path / "run", whole)
    assert processes_of(supervisor._launch) == []


@every_mpi
def test_a_process_that_cannot_be_had_again(mpi, launched, tmp_path, capfd):
    status, supervisor = launched(mpi, "1 1 120 kill,2 1 0 kill,3 1 0 kill")
    out, err = capfd.readouterr()
    assert status == 0, out + err
    assert "launch: attempt 4: 1 process (" in err
    assert len(losses(tmp_path / "run").loss) == STEPS
    assert processes_of(supervisor._launch) == []


def check_same(folder, whole):
    """Every step was made once, and the weights have the same bits."""
    assert list(losses(folder).step) == list(range(1, STEPS + 1))
    weights = weights_in(folder)
    assert weights.keys() == whole.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


@every_mpi
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_launch_that_is_ended(mpi, tmp_path, signum):
    """Ctrl-C lets it save, and SIGKILL leaves nobody behind."""
    run = tmp_path / "run"
    command = [PROGRAM, "launch", "-n", "2", "--oversubscribe", "--mpiexec", mpi.mpiexec]
    command += ["train", "digits", "--epochs", "2000", "--filters", "4", "--hidden", "8", "--run", run]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=environment, start_new_session=True, **streams)
    try:
        for line in process.stdout:
            if "(Epoch 3 /" in line:
                break
        ours = [pid for pid in processes_of("") if os.fsencode(run) in cmdline(pid)]
        assert len(ours) >= 3, "mpiexec and two ranks"
        os.killpg(process.pid, signum)
        _, err = process.communicate(timeout=100)
    finally:
        process.kill()
        process.communicate()
    until(lambda: not [pid for pid in ours if os.fsencode(run) in cmdline(pid)], "the end of all")
    if signum == signal.SIGKILL:
        until(lambda: not (tmp_path / ".run.progress.json").exists(), "the end of the progress file")
        return
    assert process.returncode == 130
    assert "pellucid: stopped; go on with: pellucid launch -n 2 --mpiexec" in err.splitlines()[-1]
    step = load_checkpoint(run / "checkpoint.safetensors")["iteration"]
    assert f"training was stopped by SIGTERM after step {step} of 54000; " in err
    assert len(losses(run).step) == step


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
