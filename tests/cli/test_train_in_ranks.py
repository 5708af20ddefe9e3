"""``mpiexec -n P pellucid train``: several processes train one network and leave one run folder."""

import json
import signal
import sys

import numpy as np
import pytest

from mpi_here import every_mpi, one_mpi
from pellucid import recipes
from pellucid.metrics import read_metrics

pytestmark = pytest.mark.timeout(300)


def losses(folder):
    return np.array(read_metrics(folder / "metrics.jsonl").steps.loss)


def trained(mpi, size, folder, *arguments, **settings):
    done = mpi.pellucid(size, "train", "digits", "--run", folder, *arguments, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


SMALL_RESNET = (
    "--model", "resnet20", "--set", "network.blocks=1", "--set", "network.width=8", "--batch-size", "64",
    "--set", "train.batch_norm=synchronised",
)  # fmt: skip
LONG_RUN_BOUND = 2e-3
"""Of the loss, relative to the largest: what rounding in float32 grows to in 200 steps of that network."""


@pytest.mark.slow
@every_mpi
def test_the_same_curve_over_200_steps(mpi, tmp_path):
    """Synchronised batch norm, no dropout, the same global batch: one and two processes."""
    for size in (1, 2):
        trained(mpi, size, tmp_path / str(size), *SMALL_RESNET, "--epochs", "10")
    one, two = (losses(tmp_path / str(size)) for size in (1, 2))
    assert len(one) == len(two) >= 200
    assert one[-1] < 0.2 * one[0]
    print("largest difference", np.abs(two - one).max() / one.max())
    np.testing.assert_allclose(two, one, atol=LONG_RUN_BOUND * one.max(), rtol=0)
    np.testing.assert_allclose(two[:20], one[:20], rtol=1e-4)


@every_mpi
def test_two_processes_leave_one_run(mpi, tmp_path):
    done = mpi.pellucid(2, "train", "digits", "--epochs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(Epoch 2 / 2)") == 1 and done.stdout.count("test accuracy") == 1
    assert "2 processes; the first waited" in done.stdout
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["digits-1"]
    folder = tmp_path / "runs" / "digits-1"
    record = json.loads((folder / "run.json").read_text())
    assert record["machine"]["processes"] == 2
    assert (folder / "model.safetensors").exists() and (folder / "train.png").exists()
    result = json.loads((folder / "result.json").read_text())
    assert result["iterations"] == 54 == len(losses(folder))

    alone = trained(mpi, 1, tmp_path / "alone", "--epochs", "2")
    assert "1 processes" not in alone.stdout
    np.testing.assert_allclose(losses(folder), losses(tmp_path / "alone"), atol=1e-3)
    assert (
        abs(result["test_accuracy"] - json.loads((tmp_path / "alone/result.json").read_text())["test_accuracy"]) < 0.03
    )


@pytest.mark.slow
@one_mpi
@pytest.mark.parametrize("size", [2, 3])
def test_dropout_and_augmentation_do_not_depend_on_the_rank(mpi, size, tmp_path):
    """In the first steps, before rounding has grown: another place dropped, or another shift, would show at once."""
    settings = (
        "--model", "fully-connected", "--keep", "0.6", "--weight-scale", "0.1", "--batch-size", "64", "--epochs", "1",
        "--set", "augment.shift=1", "--set", "augment.cutout=3", "--rule", "sgd", "--learning-rate", "0.01",
    )  # fmt: skip
    for count in (1, size):
        trained(mpi, count, tmp_path / str(count), *settings)
    np.testing.assert_allclose(losses(tmp_path / str(size)), losses(tmp_path / "1"), rtol=2e-4)


@every_mpi
def test_bad_input_is_said_once(mpi, tmp_path):
    done = mpi.pellucid(2, "train", "no-such-data", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("pellucid: ") == 1 and "no-such-data" in done.stderr
    assert not (tmp_path / "runs").exists()


@one_mpi
def test_a_folder_that_is_taken_is_said_once(mpi, tmp_path):
    """Only the first process asks, and all hear the answer."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = mpi.pellucid(2, "train", "digits", "--run", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("exists and is no run") == 1


@one_mpi
def test_a_batch_too_small_to_share(mpi, tmp_path):
    done = mpi.pellucid(2, "train", "digits", "--batch-size", "1", "--run", tmp_path / "run")
    assert done.returncode == 2 and "2 processes share batches of 1 images" in done.stderr


IN_ONE_RANK = """
import sys
from mpi4py import MPI
from pellucid.training import Solver
own = Solver._step
def step(solver):
    if solver.iteration == 3 and MPI.COMM_WORLD.rank == 1:
        {what}
    own(solver)
Solver._step = step
from pellucid.cli import main
main(["train", "digits", "--epochs", "2", "--run", sys.argv[1]])
"""


@pytest.mark.slow
@every_mpi
@pytest.mark.parametrize(
    "what, said",
    [
        ("raise RuntimeError('a bolt fell out')", "a bolt fell out"),
        ("raise ValueError('a nut fell out')", "rank 1 of 2: a nut fell out"),
        ("sys.exit(5)", None),
    ],
)
def test_an_error_in_one_process_ends_all(mpi, what, said, tmp_path):
    done = mpi.run(2, sys.executable, "-c", IN_ONE_RANK.format(what=what), tmp_path / "run")
    assert done.returncode != 0
    assert said is None or said in done.stderr
    assert "Epoch 2 / 2" not in done.stdout


@one_mpi
def test_a_diverged_run_ends_with_one_sentence(mpi, tmp_path):
    done = mpi.pellucid(2, "train", "digits", "--rule", "sgd", "--learning-rate", "1e30", "--run", tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.count("at step") == 1 and "Try a tenth of the learning rate" in done.stderr


OTHER_DATA = """
import sys
from mpi4py import MPI
from pellucid.cli import main
seed = str(7 + MPI.COMM_WORLD.rank)
main(["train", "digits", "--seed", seed, "--epochs", "1", "--run", sys.argv[1]])
"""


@one_mpi
def test_processes_that_were_told_different_things_are_refused(mpi, tmp_path):
    done = mpi.run(2, sys.executable, "-c", OTHER_DATA, tmp_path / "run")
    assert done.returncode != 0 and "rank 1 has other weights than rank 0" in done.stderr


@pytest.mark.slow
@every_mpi
def test_one_signal_to_mpiexec_saves_and_the_run_goes_on_with_other_processes(mpi, tmp_path):
    folder = tmp_path / "run"
    whole = ("--set", "train.batch_norm=synchronised", "--epochs", "20")
    with mpi.started(2, sys.executable, "-m", "pellucid", "train", "digits", *whole, "--run", folder) as process:
        for line in process.stdout:
            if "(Epoch 2 /" in line:
                process.send_signal(signal.SIGUSR1)
                break
        out, err = process.stdout.read(), process.stderr.read()
    assert "stopped after iteration" in out and err.count("training was stopped by SIGTERM after step") == 1
    stopped_at = len(losses(folder))
    assert 54 <= stopped_at < 540
    done = mpi.pellucid(1, "train", "--run", folder, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"going on after iteration {stopped_at} of 540" in done.stdout
    assert len(losses(folder)) == 540


@pytest.mark.slow
@one_mpi
def test_more_processes_go_on_with_a_run_of_one(mpi, tmp_path):
    folder = tmp_path / "run"
    trained(mpi, 1, folder, "--epochs", "1", "--threads", "1")
    done = mpi.pellucid(3, "train", "--run", folder, "--resume", "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert "3 processes" in done.stdout
    trained(mpi, 1, tmp_path / "whole", "--epochs", "2", "--threads", "1")
    np.testing.assert_allclose(losses(folder), losses(tmp_path / "whole"), atol=1e-3)


@one_mpi
def test_pictures_are_decoded_by_one_process_and_read_by_all(mpi, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(30):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8) // (1 + (name == "b"))
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    (tmp_path / "data" / "a" / "broken.png").write_bytes(b"no picture")
    arguments = ("--cache", tmp_path / "cache", "--batch-size", "8", "--set", "data.max_broken=0.1")
    done = mpi.pellucid(2, "train", tmp_path / "data", "--run", tmp_path / "run", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("left out") == 1


def test_the_key_of_the_recipe():
    with pytest.raises(ValueError, match=r"batch_norm.*must be one of own, synchronised"):
        recipes.load("tutorial").with_changes({"train.batch_norm": "mine"})
