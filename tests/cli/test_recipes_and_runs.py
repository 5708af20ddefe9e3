"""Recipes through the installed program: printing, training, killing and going on; and what is said of runs."""

import json
import os
import signal
import subprocess

import numpy as np
import pytest
from PIL import Image

from pellucid import recipes
from pellucid.training import load_weights
from pellucid.training.report import Report
from program import PROGRAM

SMALL = """
about = "A small network for small images."

[data]
normalise = "channel"
validation = 100

[network]
name = "resnet9"
width = 4

[loss]
label_smoothing = 0.1

[optimizer]
rule = "nesterov"
learning_rate = 0.1
weight_decay = 1e-3

[optimizer.groups.filters]
params = "*conv*.w"
rule = "muon"
learning_rate = 0.05

[schedule]
name = "triangle"

[train]
epochs = 4
batch_size = 100

[augment]
flip = "random"
shift = 1
cutout = 2

[average]
decay = 0.9
every = 2

[test]
flip = true
shift = 1
share = 0.5
"""


@pytest.fixture
def small(pellucid):
    """The recipe above as a file in the folder of the program."""
    (pellucid.folder / "small.toml").write_text(SMALL)
    return ("digits", "--recipe", "small.toml", "--threads", 1)


def read(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.slow
def test_recipes_are_listed_with_their_cost_and_printed_as_they_are(pellucid):
    listed = pellucid("recipes").stdout
    for name in recipes.names():
        assert name in listed and recipes.load(name).cost in listed
        assert pellucid("recipe", name).stdout == recipes.text(name)
    assert "did you mean 'tutorial'" in pellucid("recipe", "tutoral", status=2).stderr


def test_a_recipe_of_ones_own_from_training_to_report(pellucid, small):
    done = pellucid("train", *small, "--run", "r", "--set", "train.epochs=3", "--set", "augment.flip=none")
    folder = pellucid.folder / "r"
    record, result, evaluation = (read(folder, f"{name}.json") for name in ("run", "result", "evaluation"))
    assert record["recipe"]["train"]["epochs"] == 3 and record["recipe"]["augment"]["flip"] == "none"
    assert record["recipe"]["optimizer"]["groups"]["filters"]["momentum"] == 0.95
    assert record["recipe"]["name"] == "small.toml"
    report = Report.from_dict({k: evaluation[k] for k in ("accuracy", "loss", "classes", "confusion", "per_class")})
    assert report.accuracy == result["test_accuracy"] > 0.25
    assert evaluation["views"] == {"flip": True, "shift": 1, "share": 0.5}
    assert evaluation["accuracy_plain"] == result["test_accuracy_plain"]
    assert str(report) in done.stdout
    with Image.open(folder / "confusion.png") as picture:
        assert min(picture.size) > 300


def test_training_on_everything_keeps_the_last_weights(pellucid, small):
    done = pellucid("train", *small, "--run", "r", "--validation", 0, "--epochs", 1)
    result = read(pellucid.folder / "r", "result.json")
    assert result["val_accuracy"] is None and result["val_accuracy_by_epoch"] == []
    assert "to validate" not in done.stdout and "validation accuracy" not in done.stdout
    assert "without validation images" in pellucid("evaluate", "r", "--part", "val", status=2).stderr


@pytest.mark.slow
def test_a_killed_run_with_augmentation_and_averages_goes_on_to_the_same_bits(pellucid, small):
    options = (*small, "--epochs", 40, "--print-every", 1)
    environment = os.environ | {"PELLUCID_DATA": str(pellucid.folder / "data folder"), "PYTHONUNBUFFERED": "1"}
    command = [PROGRAM, "train", *map(str, options), "--run", "killed"]
    with subprocess.Popen(command, cwd=pellucid.folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("(Iteration 200 /"):
                break
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (pellucid.folder / "killed" / "result.json").exists()
    assert "going on after iteration" in pellucid("train", "--resume", "--run", "killed").stdout
    pellucid("train", *options, "--run", "whole")
    for which in ("best", "last"):
        (ours, ours_bn, _), (theirs, theirs_bn, _) = (
            load_weights(pellucid.folder / run / "checkpoint.safetensors", which) for run in ("killed", "whole")
        )
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array, err_msg=name)
        for own, other in zip(ours_bn, theirs_bn, strict=True):
            for name, array in other.items():
                np.testing.assert_array_equal(own[name], array, err_msg=name)
    results = [read(pellucid.folder / run, "result.json") for run in ("killed", "whole")]
    for result in results:
        del result["train_time_s"]
    assert results[0] == results[1]


def picture(path, channel, size, mode="RGB"):
    image = np.random.default_rng(0).integers(0, 60, (*size, 3), dtype=np.uint8)
    image[..., channel] += 180
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).convert(mode).save(path)


def odd_pictures(folder):
    """Two classes of all sizes and modes, and two broken files."""
    for number in range(2):
        for i in range(20):
            mode = ("RGB", "RGBA", "P")[i % 3]
            picture(folder / f"class{number}" / f"{i}.png", number, (9 + i % 4, 8 + i % 5), mode)
    (folder / "class0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    whole = (folder / "class1" / "3.png").read_bytes()
    (folder / "class1" / "short.png").write_bytes(whole[: len(whole) // 2])


def test_a_folder_of_odd_pictures_names_every_file_it_leaves_out(pellucid):
    odd_pictures(pellucid.folder / "photos")
    options = ("--image-size", 8, 8, "--batch-size", 8, "--hidden", 10, "--threads", 1, "--run", "r")
    refused = pellucid("train", "photos", *options, status=2)
    assert "broken.png" in refused.stderr or "short.png" in refused.stderr
    too_many = pellucid("train", "photos", *options, "--set", "data.max_broken=0.03", status=2)
    assert "2" in too_many.stderr and not (pellucid.folder / "r").exists()
    done = pellucid("train", "photos", *options, "--set", "data.max_broken=0.1", "--set", "data.fit=pad", "--epochs", 5)
    left_out = [line for line in done.stdout.splitlines() if line.startswith("left out ")]
    assert sorted(line.split(":")[0].split("/")[-1] for line in left_out) == ["broken.png", "short.png"]
    assert all(line.split(": ", 1)[1] for line in left_out)
    assert read(pellucid.folder / "r", "result.json")["test_accuracy"] > 0.7


def test_pictures_are_kept_decoded_where_the_user_says(pellucid):
    odd_pictures(pellucid.folder / "photos")
    options = ("photos", "--image-size", 8, 8, "--hidden", 10, "--set", "data.max_broken=0.1", "--threads", 1)
    pellucid("train", *options, "--run", "r", "--cache", "decoded.npy")
    assert (pellucid.folder / "decoded.npy").exists()
    pellucid("evaluate", "r")


@pytest.mark.slow
def test_evaluate_says_again_what_training_said(pellucid, small):
    pellucid("train", *small, "--run", "r", "--epochs", 2)
    folder = pellucid.folder / "r"
    before = (folder / "evaluation.json").read_text()
    (folder / "evaluation.json").unlink()
    done = pellucid("evaluate", "r")
    assert (folder / "evaluation.json").read_text() == before
    assert "best weights of r, after epoch 2; digits, test images" in done.stdout
    pellucid("evaluate", "r", "--part", "val", "--which", "last", "--data", "digits")
    validation = read(folder, "evaluation-val.json")
    assert validation["part"] == "val" and validation["weights"] == "last"
    assert sum(map(sum, validation["confusion"])) == 100
    assert (folder / "confusion-val.png").exists()
    odd_pictures(pellucid.folder / "photos")
    for name in ("class0/broken.png", "class1/short.png"):
        (pellucid.folder / "photos" / name).unlink()
    refused = pellucid("evaluate", "r", "--data", "photos", status=2)
    assert "photos" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.slow
def test_runs_and_plot(pellucid, small):
    quick = ("digits", "--hidden", 20, "--filters", 4, "--threads", 1)
    pellucid("train", *quick, "--run", "runs/a", "--seed", 1)
    pellucid("train", *small, "--epochs", 2, "--run", "runs/b")
    command = [PROGRAM, "train", *map(str, quick), "--epochs", "500", "--run", "runs/c"]
    with subprocess.Popen(command, cwd=pellucid.folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if line.startswith("(Epoch 1 /"):
                    break
            assert lines_of(pellucid)["c"].endswith("running")
        finally:
            process.kill()
    lines = lines_of(pellucid)
    assert lines["c"].endswith("stopped") and "/500" in lines["c"]
    assert lines["a"].endswith("finished") and "1/1" in lines["a"] and "tutorial, changed" in lines["a"]
    assert "small.toml" in lines["b"] and "2/2" in lines["b"] and lines["b"].count("%") == 2
    (pellucid.folder / "runs" / "c" / "run.json").write_text("{")
    assert lines_of(pellucid)["c"].endswith("damaged")
    (pellucid.folder / "runs" / "c" / "run.json").write_text('{"format": 1}')
    assert lines_of(pellucid)["c"].endswith("of format 1")

    for x in ("minutes", "epochs", "steps"):
        assert f"wrote {x}.svg" in pellucid("plot", "runs/a", "runs/b", "--out", f"{x}.svg", "--x", x).stdout
        assert (pellucid.folder / f"{x}.svg").read_text().startswith("<?xml")


def lines_of(pellucid):
    """The lines of ``pellucid runs`` by the run's name."""
    return {line.split()[0]: line for line in pellucid("runs").stdout.splitlines()[1:]}


def test_a_recipe_is_changed_by_what_it_does_and_not_by_what_is_said_of_it(pellucid):
    for name, changes in {"said": {"cost": "another"}, "done": {"train": {"epochs": 9}}}.items():
        folder = pellucid.folder / "runs" / name
        folder.mkdir(parents=True)
        recipe = recipes.load("94").resolved()
        recipe = recipe | {key: recipe[key] | new if isinstance(new, dict) else new for key, new in changes.items()}
        (folder / "run.json").write_text(json.dumps({"format": 2, "recipe": recipe, "data": "cifar10"}))
    lines = lines_of(pellucid)
    assert "94, changed" not in lines["said"]
    assert "94, changed" in lines["done"]


def test_event_files_for_tensorboard(pellucid):
    pytest.importorskip("tensorboardX")
    quick = ("digits", "--hidden", 20, "--filters", 4, "--threads", 1)
    pellucid("train", *quick, "--run", "r", "--tensorboard")
    assert list((pellucid.folder / "r" / "tensorboard").glob("events*"))


def test_a_batch_that_cannot_fit_is_refused_before_anything_is_written(pellucid, small):
    done = pellucid("train", *small, "--run", "r", "--memory", 0.035, "--batch-size", 1000, status=2)
    assert "a batch of 1000 images needs about" in done.stderr and "0.04 GB are available" in done.stderr
    fits = done.stderr.split("batches of ")[1].split()[0]
    assert not (pellucid.folder / "r").exists()
    pellucid("train", *small, "--run", "r", "--memory", 0.035, "--batch-size", fits, "--epochs", 1)


BAD = {
    "evaluate nothing": (("evaluate", "nowhere"), "there is no run in nowhere"),
    "evaluate a folder": (("evaluate", "."), "there is no run in ."),
    "evaluate the wrong part": (("evaluate", "x", "--part", "train"), "train"),
    "runs of nothing": (("runs", "nowhere"), "there is no folder nowhere"),
    "plot nothing": (("plot",), "give at least one run folder"),
    "plot nowhere": (("plot", "nowhere"), "there are no metrics in nowhere"),
    "plot a folder": (("plot", "."), "there are no metrics in ."),
    "plot by the wrong unit": (("plot", ".", "--x", "hours"), "hours"),
    "recipe without a name": (("recipe",), "recipe"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_sentence(pellucid, arguments, message):
    done = pellucid(*arguments, status=2)
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert list(pellucid.folder.iterdir()) == []


def test_damaged_and_old_run_folders(pellucid):
    folder = pellucid.folder / "r"
    folder.mkdir()
    cases = {
        "{": "run.json is damaged",
        "[]": "run.json is damaged",
        '{"format": 1, "settings": {}}': "has format 1, of an older pellucid without recipes",
        '{"format": 3}': "has format 3; this version of pellucid reads 2",
        '{"format": 2}': "it lacks the key 'recipe'",
        '{"format": 2, "recipe": 3, "data": "digits", "seed": 1, "threads": 1}': "it must be a dictionary of tables",
        '{"format": 2, "recipe": {"trein": {}}, "data": "digits", "seed": 1, "threads": 1}': "did you mean 'train'",
        '{"format": 2, "recipe": {}, "data": "digits", "seed": "one", "threads": 1}': "--seed is 'one'",
        '{"format": 2, "recipe": {}, "data": 3, "seed": 1, "threads": 1}': "data is 3",
    }
    for content, message in cases.items():
        (folder / "run.json").write_text(content)
        for command in (("evaluate", "r"), ("train", "--resume", "--run", "r")):
            done = pellucid(*command, status=2)
            assert message in done.stderr, content
            assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    (folder / "run.json").write_text('{"format": 2, "recipe": {}, "data": "digits", "seed": 1, "threads": 1}')
    assert "r has no checkpoint yet" in pellucid("evaluate", "r", status=2).stderr
    (folder / "metrics.jsonl").write_text("rubbish\n")
    assert "line 1, is damaged" in pellucid("plot", "r", status=2).stderr


def test_malformed_recipes(pellucid):
    path = pellucid.folder / "bad.toml"
    for content, message in {
        "[train\n": "recipe bad.toml: it is not TOML",
        "[train]\nepoch = 3": "recipe bad.toml: [train] has the unknown key 'epoch' (did you mean 'epochs'?)",
        "[train]\nepochs = 'two'": "recipe bad.toml: train.epochs is 'two'",
    }.items():
        path.write_text(content)
        done = pellucid("train", "digits", "--recipe", "bad.toml", status=2)
        assert message in done.stderr and "Traceback" not in done.stderr
    assert [file.name for file in pellucid.folder.iterdir()] == ["bad.toml"]
