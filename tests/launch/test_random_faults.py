"""Twenty faults in one run: processes are killed, stopped, raise and leave at random steps; it ends as if none came.

`make test-faults` runs it, on every MPI that is here. PELLUCID_FAULTS=7 draws other faults.
"""

import os
import random
import sys

import numpy as np
import pytest
from launches import check_counts, processes_of

from mpi_here import every_mpi
from pellucid.metrics import read_metrics
from pellucid.training import load_checkpoint

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="who belongs to an attempt is read from /proc"),
    pytest.mark.timeout(1500),
    pytest.mark.faults,
]

TRAINING = ("digits", "--epochs", "10", "--filters", "4", "--hidden", "8", "--threads", "1")
STEPS, STEPS_AN_EPOCH, IMAGES = 270, 27, 1350
FAULTS = 20
KINDS = ["kill"] * 10 + ["raise"] * 5 + ["exit"] * 2 + ["stop"] * 3


def drawn(seed):
    """FAULT for `fault_me`: attempt by attempt, at rising steps, since each attempt goes on where the last was lost."""
    rng = random.Random(seed)
    kinds, steps = rng.sample(KINDS, FAULTS), sorted(rng.sample(range(1, STEPS), FAULTS))
    return ",".join(
        f"{attempt} {rng.randrange(2)} {step} {kind}"
        for attempt, (step, kind) in enumerate(zip(steps, kinds, strict=True), 1)
    )


@every_mpi
def test_twenty_faults_change_nothing_but_the_time(mpi, tmp_path, monkeypatch, capfd, real):
    whole, run, counted = tmp_path / "whole", tmp_path / "run", tmp_path / "counted"
    done = mpi.pellucid(2, "train", *TRAINING, "--run", whole)
    assert done.returncode == 0, done.stderr

    counted.mkdir()
    faults = drawn(int(os.environ.get("PELLUCID_FAULTS", "231")))
    monkeypatch.setenv("COUNTED", str(counted))
    limits = {"stall_s": 15.0, "restarts": FAULTS, "fruitless": FAULTS}
    supervisor = real(faults, mpi, TRAINING, run, 2, "count_me.py", **limits)
    status = supervisor.run()
    left = processes_of(supervisor._launch)
    out, err = capfd.readouterr()
    assert status == 0, f"{faults}\n{out}\n{err}"
    assert left == [] and err.count("was lost") == FAULTS, f"{faults}\n{err}"

    assert list(read_metrics(run / "metrics.jsonl").steps.step) == list(range(1, STEPS + 1))
    reached, expected = (load_checkpoint(folder / "checkpoint.safetensors")["params"] for folder in (run, whole))
    for name, array in expected.items():
        np.testing.assert_array_equal(reached[name], array, err_msg=name)
    made = check_counts(counted, STEPS, STEPS_AN_EPOCH, IMAGES)
    assert any(len(times) > 1 for times in made.values()), "some steps were made again"
