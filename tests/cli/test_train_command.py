"""``pellucid train`` through the installed program: what it prints, what it leaves, what it refuses, how it goes on."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from pellucid import recipes
from pellucid.metrics import read_metrics
from pellucid.training import load_weights
from program import PROGRAM

QUICK = ("--epochs", 1, "--hidden", 20, "--filters", 4, "--filter-size", 3, "--threads", 1)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_main_job(pellucid):
    done = pellucid("train", "digits", "--epochs", 6, "--run", "runs/demo")
    folder = pellucid.folder / "runs" / "demo"
    assert files(folder) == [
        "checkpoint.safetensors",
        "confusion.png",
        "evaluation.json",
        "film",
        "metrics.jsonl",
        "model.safetensors",
        "result.json",
        "run.json",
        "run.lock",
        "train.png",
        "weights.png",
    ]
    for name in ("train.png", "weights.png", "confusion.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 300
    result = json.loads((folder / "result.json").read_text())
    assert result["val_accuracy"] > 0.9
    assert result["test_accuracy"] > 0.9
    assert f"validation accuracy {result['val_accuracy']:.4f}" in done.stdout
    assert f"test accuracy {result['test_accuracy']:.4f}" in done.stdout
    assert "(Epoch 6 / 6) train acc:" in done.stdout
    for name in ("runs/demo/checkpoint.safetensors", "runs/demo/train.png", "runs/demo/weights.png"):
        assert name in done.stdout
    assert done.stderr == ""
    params, _, info = load_weights(folder / "checkpoint.safetensors")
    assert {array.dtype for array in params.values()} == {np.dtype(np.float32)}
    assert np.mean(info["loss_history"][-10:]) < 0.5 * info["loss_history"][0]
    record = json.loads((folder / "run.json").read_text())
    assert record["format"] == 2
    assert record["recipe"] == recipes.load("tutorial").with_changes({"train.epochs": 6}).resolved()
    assert record["seed"] == 231 and record["data"] == "digits"
    assert {"python", "numpy", "pellucid"} <= record["versions"].keys()
    assert record["machine"].keys() == {"system", "processor", "cores", "threads", "processes"}
    assert result["test_accuracy_plain"] == result["test_accuracy"] and result["train_time_s"] > 0
    metrics = read_metrics(folder / "metrics.jsonl")
    assert metrics.epochs.epoch.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(metrics.steps.step) == result["iterations"]


@pytest.mark.slow
def test_the_default_run_folder_is_the_first_free_number(pellucid):
    for number in (1, 2):
        assert f"run folder: runs/digits-{number}" in pellucid("train", "digits", *QUICK).stdout


@pytest.mark.slow
@pytest.mark.parametrize("model", ["two-layer", "fully-connected"])
def test_the_other_networks(pellucid, model):
    options = ("--hidden", 40, 30, "--normalization", "batchnorm", "--keep", 0.9) if model == "fully-connected" else ()
    pellucid("train", "digits", "--model", model, "--epochs", 3, "--run", "r", *options)
    assert json.loads((pellucid.folder / "r" / "result.json").read_text())["val_accuracy"] > 0.8
    assert (pellucid.folder / "r" / "weights.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "nesterov", "rmsprop", "adamw"])
def test_the_other_rules(pellucid, rule):
    pellucid("train", "digits", "--rule", rule, "--learning-rate", 1e-4, "--schedule", "cosine", "--run", "r", *QUICK)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_does_not(pellucid):
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        pellucid("train", "digits", "--seed", seed, "--run", run, *QUICK)
    a, b, c = (load_weights(pellucid.folder / run / "checkpoint.safetensors", "last")[0] for run in "abc")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert (a["W1"] != c["W1"]).any()


BAD = {
    "no data": ((), "say what to train on"),
    "unknown data set": (("cifer10",), "did you mean 'cifar10'"),
    "no such folder": (("./photographs/",), "photographs"),
    "unknown rule": (("digits", "--rule", "adm"), "adam"),
    "unknown option": (("digits", "--learning-rat", 1), "learning-rate"),
    "float epochs": (("digits", "--epochs", "1.5"), "1.5"),
    "no epochs": (("digits", "--epochs", 0), "--epochs is 0; it must be at least 1"),
    "negative rate": (("digits", "--learning-rate", -1), "--learning-rate is -1.0; it must be above 0"),
    "batch of nothing": (("digits", "--batch-size", 0), "--batch-size is 0; it must be at least 1"),
    "too many to validate": (("digits", "--validation", 5000), "5000"),
    "no filters": (("digits", "--filters", 0), "--filters is 0; it must be at least 1"),
    "rubbish for a number": (("digits", "--seed", "abc"), "'abc' is not a whole number"),
    "scale of nothing": (("digits", "--scale", 0), "scale is 0"),
    "two hidden layers": (("digits", "--hidden", 10, 20), "--hidden is [10, 20]; it must have 1 value"),
    "dropout where there is none": (("digits", "--keep", 0.5), "[network] (three-layer) has the unknown key '--keep'"),
    "unknown recipe": (("digits", "--recipe", "tutoral"), "recipe tutoral: there is none (did you mean 'tutorial'?)"),
    "no such recipe file": (("digits", "--recipe", "mine.toml"), "recipe mine.toml: there is no such file"),
    "unknown key": (
        ("digits", "--set", "train.epoch=3"),
        "[train] has the unknown key 'epoch' (did you mean 'epochs'?)",
    ),
    "unknown table": (("digits", "--set", "tran.epochs=3"), "did you mean 'train'?"),
    "wrong type": (("digits", "--set", "train.epochs=two"), "train.epochs is 'two', a str; it must be an integer"),
    "no change": (("digits", "--set", "train.epochs"), "--set: 'train.epochs' is no change"),
    "no TOML": (("digits", "--set", "network.hidden=[1"), "the value is not TOML"),
    "twice": (("digits", "--epochs", 2, "--set", "train.epochs=3"), "train.epochs is given twice"),
    "network and images": (("digits", "--recipe", "94"), "Network"),
    "shift larger than the images": (("digits", "--set", "augment.shift=9"), "shift is 9"),
    "patterns that match nothing": (
        ("digits", "--set", "optimizer.groups.a={params='conv*.w'}"),
        "no parameter has the name 'conv*.w'",
    ),
    "batch that cannot fit": (("digits", "--memory", 0.01), "needs about"),
    "memory of nothing": (("digits", "--memory", 0), "--memory is 0.0; it must be above 0"),
    "resume without a folder": (("digits", "--resume"), "--resume needs --run"),
    "resume nothing": (("--resume", "--run", "nowhere"), "there is no run in nowhere"),
    "resume with a recipe": (("--resume", "--run", "x", "--recipe", "94"), "leave --recipe out"),
    "resume and overwrite": (("--resume", "--overwrite", "--run", "x"), "give one of them"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_sentence_and_leaves_nothing(pellucid, arguments, message):
    done = pellucid("train", *arguments, status=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert files(pellucid.folder) == []


@pytest.mark.parametrize("case", ["no data", "unknown option", "no such folder", "wrong type", "batch that cannot fit"])
def test_the_installed_program_refuses_bad_input_too(pellucid, case):
    arguments, message = BAD[case]
    done = pellucid("train", *arguments, status=2, installed=True)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert files(pellucid.folder) == []


def test_a_run_folder_that_exists(pellucid):
    pellucid("train", "digits", "--run", "r", *QUICK)

    def contents():
        return {path: path.read_bytes() for path in (pellucid.folder / "r").rglob("*") if path.is_file()}

    before = contents()
    done = pellucid("train", "digits", "--run", "r", *QUICK, status=2)
    assert "the run folder r exists" in done.stderr
    assert "--resume" in done.stderr and "--overwrite" in done.stderr
    assert contents() == before
    pellucid("train", "digits", "--run", "r", "--overwrite", "--seed", 5, *QUICK)
    assert json.loads((pellucid.folder / "r" / "run.json").read_text())["seed"] == 5


def test_a_folder_that_is_no_run_is_never_overwritten(pellucid):
    precious = pellucid.folder / "photographs" / "cat.txt"
    precious.parent.mkdir()
    precious.write_text("miaow")
    done = pellucid("train", "digits", "--run", "photographs", "--overwrite", *QUICK, status=2)
    assert "is no run" in done.stderr
    assert files(precious.parent) == ["cat.txt"]


def test_a_diverging_run_stops_with_a_sentence_and_keeps_its_last_good_checkpoint(pellucid):
    done = pellucid("train", "digits", "--rule", "sgd", "--learning-rate", 1e10, "--run", "r", "--epochs", 3, status=1)
    assert "not finite" in done.stderr or "nan" in done.stderr or "inf" in done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    checkpoint = pellucid.folder / "r" / "checkpoint.safetensors"
    if checkpoint.exists():
        assert all(np.isfinite(array).all() for array in load_weights(checkpoint, "last")[0].values())


def start(pellucid, *arguments):
    environment = os.environ | {"PELLUCID_DATA": str(pellucid.folder / "data folder"), "PYTHONUNBUFFERED": "1"}
    command = [PROGRAM, "train", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=pellucid.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


LONG = ("digits", "--hidden", 50, "--filters", 8, "--epochs", 30, "--print-every", 1, "--threads", 1)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The weights of the run that nobody stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    subprocess.run(
        [PROGRAM, "train", *map(str, LONG), "--run", folder / "r"], cwd=folder, capture_output=True, check=True
    )
    return load_weights(folder / "r" / "checkpoint.safetensors", "last")[0]


@pytest.mark.parametrize(
    "signum",
    [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGKILL))],
)
def test_a_stopped_run_goes_on_to_the_same_bits(pellucid, uninterrupted, signum):
    process = start(pellucid, *LONG, "--run", "r")
    for line in process.stdout:
        if line.startswith("(Iteration 100 /"):
            break
    process.send_signal(signum)
    _, stderr = process.communicate(timeout=60)
    if signum == signal.SIGKILL:
        assert process.returncode == -signum
    else:
        assert process.returncode == 128 + signum
        assert "Traceback" not in stderr
    assert not (pellucid.folder / "r" / "result.json").exists()
    done = pellucid("train", "--resume", "--run", "r")
    assert "going on after iteration" in done.stdout
    resumed = load_weights(pellucid.folder / "r" / "checkpoint.safetensors", "last")[0]
    for name, array in uninterrupted.items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)


@pytest.mark.slow
def test_resuming_with_other_settings_is_refused(pellucid):
    pellucid("train", "digits", "--run", "r", *QUICK)
    done = pellucid("train", "digits", "--run", "r", "--resume", "--batch-size", 7, status=2)
    assert "train.batch_size is 50 there, not 7" in done.stderr
    more = pellucid("train", "digits", "--run", "r", "--resume", "--epochs", 3)
    assert "(Epoch 3 / 3)" in more.stdout


def test_two_processes_do_not_train_in_one_folder(pellucid):
    first = start(pellucid, *LONG, "--run", "r")
    try:
        for line in first.stdout:
            if line.startswith("(Iteration 3 /"):
                break
        done = pellucid("train", "--resume", "--run", "r", status=2)
        assert "another process is training in r" in done.stderr
    finally:
        first.kill()
        first.communicate()


def test_damaged_records_are_refused(pellucid):
    pellucid("train", "digits", "--run", "r", *QUICK)
    record, checkpoint = pellucid.folder / "r" / "run.json", pellucid.folder / "r" / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-100])
    assert "checkpoint.safetensors" in pellucid("train", "--resume", "--run", "r", status=2).stderr
    checkpoint.write_bytes(whole)
    record.write_text("{")
    assert "run.json is damaged" in pellucid("train", "--resume", "--run", "r", status=2).stderr


def colours(folder, classes=3, each=12, size=(8, 8)):
    """A small image folder: each class a colour, with noise."""
    rng = np.random.default_rng(0)
    for number in range(classes):
        (folder / f"class{number}").mkdir(parents=True)
        for i in range(each):
            image = rng.integers(0, 60, (*size, 3), dtype=np.uint8)
            image[..., number % 3] += 180
            Image.fromarray(image).save(folder / f"class{number}" / f"{i}.png")


def test_training_on_a_folder_of_images(pellucid):
    for part in ("train", "test"):
        colours(pellucid.folder / "photos" / part)
    done = pellucid("train", "photos", "--run", "r", "--epochs", 20, "--batch-size", 10, "--hidden", 20)
    assert json.loads((pellucid.folder / "r" / "result.json").read_text())["test_accuracy"] > 0.9
    assert "3 classes" in done.stdout
    (pellucid.folder / "elsewhere").mkdir()
    pellucid("train", "--resume", "--run", "r", "--epochs", 21)


def test_bad_image_folders(pellucid):
    colours(pellucid.folder / "one" / "train", classes=1)
    assert "class" in pellucid("train", "one", "--run", "r", status=2).stderr
    colours(pellucid.folder / "broken" / "train")
    (pellucid.folder / "broken" / "train" / "class1" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    assert "3.png" in pellucid("train", "broken", "--run", "r", status=2).stderr
    colours(pellucid.folder / "empty" / "train")
    (pellucid.folder / "empty" / "train" / "class9").mkdir()
    assert "class9" in pellucid("train", "empty", "--run", "r", status=2).stderr
    assert not (pellucid.folder / "r").exists()


def test_a_full_disk_gives_a_sentence(pellucid):
    """A limit on the size of files stands in for a full disk: the checkpoint does not fit."""
    resource = pytest.importorskip("resource")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = pellucid("train", "digits", "--run", "r", status=2, preexec_fn=limit)
    assert "checkpoint.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
    assert files(pellucid.folder / "r") == ["film", "metrics.jsonl", "run.json", "run.lock"]


def test_help_answers_in_half_a_second(pellucid):
    for arguments in (("--help",), ("train", "--help"), ("evaluate", "--help"), ("--version",)):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            pellucid(*arguments)
            times.append(time.perf_counter() - started)
        assert min(times) < 0.5, arguments
