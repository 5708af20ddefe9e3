"""``pellucid train --from``, ``pellucid save``, and the model file that every run leaves."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as package
from pages import blocks
from pellucid.data import load_digits
from pellucid.models import BatchNorm, Conv, GlobalMaxPool, MaxPool, Network, ReLU
from pellucid.shipping import Model, Preprocessing
from program import PROGRAM

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, CHINESE = DOCS / "fine-tuning.md", DOCS / "fine-tuning.zh-CN.md"
DIGITS = load_digits()


def train(pellucid, *arguments, **options):
    return pellucid("train", *arguments, "--threads", "1", **options)


def pictures(folder, labels, count=12, colour=False):
    """A folder of digits as pictures, a class for each."""
    for label in labels:
        place = folder / f"digit {label}"
        place.mkdir(parents=True)
        for i in np.flatnonzero(DIGITS.y_train == label)[:count]:
            image = Image.fromarray(DIGITS.X_train.pixels[i, ..., 0])
            (image.convert("RGB") if colour else image).save(place / f"{i}.png")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A model of grey digits with batch norm."""
    steps = [Conv(8, pad=1, bias=False), BatchNorm(), ReLU(), MaxPool(2), Conv(10), GlobalMaxPool()]
    from pellucid.models import Affine

    network = Network([*steps[:4], Affine(10)], (1, 8, 8), rng=0)
    network.loss(DIGITS.X_train[:50], DIGITS.y_train[:50])
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    Model(network, tuple("0123456789"), Preprocessing((8, 8), 1, 100.0, 64.0)).save(path)
    headless = Model(Network(steps, (1, 8, 8), rng=0), (), Preprocessing((8, 8), 1))
    headless.save(path.with_name("headless.safetensors"))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [["--epochs", "2"], ["--model", "tutorial", "--set", "test.flip=true"]])
def test_a_run_leaves_its_model(pellucid, recipe):
    train(pellucid, "digits", *recipe, "--run", "r")
    model = package.load(pellucid.folder / "r/model.safetensors")
    found = model.probabilities(DIGITS.X_test.pixels, views=model.views is not None).argmax(axis=1)
    report = json.loads((pellucid.folder / "r/evaluation.json").read_text())
    assert np.mean(found == DIGITS.y_test) == report["accuracy"]
    assert model.classes == DIGITS.classes
    assert model.training["test_accuracy"] == report["accuracy"]
    assert model.training["data"] == "digits"
    assert str(pellucid.folder) not in json.dumps(dict(model.training))


@pytest.mark.slow
def test_save_makes_the_same_model_of_a_run(pellucid):
    train(pellucid, "digits", "--run", "r")
    right = package.load(pellucid.folder / "r/model.safetensors").scores(DIGITS.X_test.pixels)
    (pellucid.folder / "r/model.safetensors").unlink()
    assert "the folder r has no model.safetensors" in pellucid("predict", "r", "x.png", status=2).stderr
    pellucid("save", "r")
    pellucid("save", "r", "--which", "last", "-o", "last.safetensors")
    for path in ("r/model.safetensors", "last.safetensors"):
        found = package.load(pellucid.folder / path).scores(DIGITS.X_test.pixels)
        np.testing.assert_array_equal(found, right)
    assert "save: there is no run in none" in pellucid("save", "none", status=2).stderr
    (pellucid.folder / "r/checkpoint.safetensors").unlink()
    assert "save: r has no checkpoint yet" in pellucid("save", "r", status=2).stderr


def test_a_new_head_and_frozen_filters(pellucid, start):
    pictures(pellucid.folder / "data", (1, 4, 7), colour=True)
    train(pellucid, "data", "--from", start, "--freeze", "conv1.*", "--run", "r")
    before, after = package.load(start), package.load(pellucid.folder / "r/model.safetensors")
    assert after.classes == ("digit 1", "digit 4", "digit 7")
    np.testing.assert_array_equal(after.network.params["conv1.w"], before.network.params["conv1.w"])
    assert np.any(after.network.params["batchnorm1.beta"] != before.network.params["batchnorm1.beta"])
    assert after.network.params["affine1.w"].shape == (128, 3)
    assert (after.preprocessing.size, after.preprocessing.channels) == ((8, 8), 1)
    assert (after.preprocessing.mean, after.preprocessing.scale) == (100.0, 64.0)
    assert (pellucid.folder / "r/start.safetensors").read_bytes() == start.read_bytes()
    evaluated = pellucid("evaluate", "r").stdout
    assert "digit 7" in evaluated


@pytest.mark.slow
def test_the_same_classes_keep_the_head(pellucid, start):
    train(pellucid, "digits", "--from", start, "--epochs", "1", "--learning-rate", "1e-12", "--run", "r")
    before, after = package.load(start), package.load(pellucid.folder / "r/model.safetensors")
    np.testing.assert_allclose(after.network.params["affine1.w"], before.network.params["affine1.w"], atol=1e-7)
    options = ["--epochs", "1", "--set", "network.head=new", "--learning-rate", "1e-12", "--run", "new"]
    train(pellucid, "digits", "--from", start, *options)
    new = package.load(pellucid.folder / "new/model.safetensors")
    assert np.abs(new.network.params["affine1.w"] - before.network.params["affine1.w"]).max() > 0.01


@pytest.mark.slow
def test_a_run_goes_on_without_the_file_that_it_started_from(pellucid, start):
    own = pellucid.folder / "own.safetensors"
    own.write_bytes(start.read_bytes())
    train(pellucid, "digits", "--from", own, "--freeze", "conv1.*", "--epochs", "1", "--run", "r")
    own.unlink()
    train(pellucid, "--run", "r", "--resume", "--epochs", "2")
    pellucid("save", "r", "-o", "again.safetensors")
    models = [package.load(pellucid.folder / name) for name in ("r/model.safetensors", "again.safetensors")]
    for name, array in models[0].network.params.items():
        np.testing.assert_array_equal(array, models[1].network.params[name])
    assert models[0].training["epochs"] == 2


@pytest.mark.slow
def test_the_runs_own_copy_of_its_model_file_must_be_there_and_the_same(pellucid, start):
    train(pellucid, "digits", "--from", start, "--epochs", "1", "--run", "r")
    record = json.loads((pellucid.folder / "r/run.json").read_text())
    assert record["start"] == {"file": start.name, "sha256": hashlib.sha256(start.read_bytes()).hexdigest()}
    assert record["recipe"]["network"]["path"] == "start.safetensors"
    about = package.load(pellucid.folder / "r/model.safetensors").training
    assert about["start"] == record["start"]
    assert str(start.parent) not in json.dumps(dict(about)) and str(pellucid.folder) not in json.dumps(dict(about))
    copy = pellucid.folder / "r/start.safetensors"
    copy.write_bytes((pellucid.folder / "r/model.safetensors").read_bytes())  # a sound model, but another
    commands = {"train": ("train", "--resume", "--run", "r"), "evaluate": ("evaluate", "r"), "save": ("save", "r")}
    for name, command in commands.items():
        told = pellucid(*command, status=2).stderr
        assert f"{name}: the run's copy of its model file, r/start.safetensors, has changed" in told
    copy.unlink()
    for name, command in commands.items():
        told = pellucid(*command, status=2).stderr
        assert f"{name}: the run's copy of its model file, r/start.safetensors, is gone" in told
    copy.write_bytes(start.read_bytes())
    pellucid("evaluate", "r")
    del record["start"]
    (pellucid.folder / "r/run.json").write_text(json.dumps(record))
    assert "run.json is damaged: start is None" in pellucid("evaluate", "r", status=2).stderr


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(pellucid, start):
    pictures(pellucid.folder / "data", (1, 4, 7), count=60, colour=True)
    own = pellucid.folder / "own.safetensors"
    own.write_bytes(start.read_bytes())
    options = ["data", "--freeze", "conv1.*", "--freeze", "batchnorm1.*", "--epochs", "150", "--batch-size", "10"]
    options += ["--threads", "1", "--print-every", "1"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PELLUCID_QUIET": "1"}
    command = [PROGRAM, "train", *options, "--from", own, "--run", "killed"]
    with subprocess.Popen(command, cwd=pellucid.folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("(Iteration 1500 /"):
                break
        process.kill()
    assert not (pellucid.folder / "killed/result.json").exists()
    pellucid("save", "killed", "-o", "so-far.safetensors")  # also of a run that is not at its end
    assert package.load(pellucid.folder / "so-far.safetensors").classes == ("digit 1", "digit 4", "digit 7")
    own.unlink()
    assert "going on after iteration" in pellucid("train", "--resume", "--run", "killed").stdout
    pellucid("train", *options, "--from", start, "--run", "whole")
    killed, whole = (package.load(pellucid.folder / run / "model.safetensors").network for run in ("killed", "whole"))
    for name, array in whole.params.items():
        np.testing.assert_array_equal(killed.params[name], array, err_msg=name)
    before = package.load(start).network.bn_params[0]
    for network in (killed, whole):
        np.testing.assert_array_equal(network.bn_params[0]["running_mean"], before["running_mean"])


def test_a_model_that_pads_gets_padded_pictures(pellucid, start):
    Model(package.load(start).network, (), Preprocessing((8, 8), 1, 100.0, 64.0, "pad")).save(pellucid.folder / "m")
    pictures(pellucid.folder / "data", (1, 4), count=5)
    train(pellucid, "data", "--from", "m", "--epochs", "1", "--run", "r")
    assert package.load(pellucid.folder / "r/model.safetensors").preprocessing.fit == "pad"


def test_another_recipe_starts_from_a_file_too(pellucid, start):
    options = ["--recipe", "tutorial", "--set", "optimizer.learning_rate=0.01", "--run", "r"]
    done = train(pellucid, "digits", "--from", start, *options)
    assert json.loads((pellucid.folder / "r/run.json").read_text())["recipe"]["network"]["name"] == "file"
    assert "model.safetensors" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "--from", "none.safetensors"], "none.safetensors"),
        (["digits", "--from", "text"], "text: not a sound model file"),
        (["digits", "--from", "START", "--freeze", "conv2.*"], r"no parameter has the name 'conv2.*' (did you mean"),
        (["digits", "--freeze", "conv1.*"], "freeze"),
        (["digits", "--recipe", "finetune"], "network.path is empty; name the model file"),
        (["digits", "--set", "data.normalise=model"], "data.normalise is 'model'"),
        (["data", "--from", "START", "--set", "network.head=keep"], "network.head is 'keep', but"),
        (["data", "--from", "START", "--image-size", "9", "9"], "reads images (1, 8, 8) (C, H, W), but these are"),
        (["data", "--from", "HEADLESS"], "a new head can only take the place of an affine layer"),
        (["digits", "--from", "START", "--set", "network.head=old"], "network.head is 'old'"),
        (["digits", "--from", "START", "--freeze", "*"], "nothing is left to train"),
        (["digits", "--from", "START", "--model", "vgg"], "[network] (vgg) has the unknown key '--from'"),
        (["digits", "--from", "START", "--scale", "2"], "--scale is 2, but data.normalise 'model' divides by"),
        (["--resume", "--run", "x", "--from", "START"], "there is no run in x"),
    ],
)
def test_what_cannot_be_started_from(pellucid, start, arguments, message):
    pictures(pellucid.folder / "data", (1, 4), count=3)
    (pellucid.folder / "text").write_text("this is no model file")
    places = {"START": start, "HEADLESS": start.with_name("headless.safetensors")}
    done = pellucid("train", *[places.get(argument, argument) for argument in arguments], status=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (pellucid.folder / "runs").exists()


@pytest.mark.slow
def test_a_run_may_replace_the_run_that_it_starts_from(pellucid, start):
    train(pellucid, "digits", "--from", start, "--epochs", "1", "--run", "r")
    train(pellucid, "digits", "--from", "r/model.safetensors", "--epochs", "1", "--run", "r", "--overwrite")
    assert (pellucid.folder / "r/model.safetensors").exists()


def test_both_languages_show_the_same_code():
    for language in ("sh", "python"):
        assert blocks(ENGLISH, language) == blocks(CHINESE, language) != []
    for page in (ENGLISH, CHINESE):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / link).exists(), f"{page.name}: {link}"


@pytest.mark.slow
def test_the_page_runs(tmp_path):
    environment = os.environ | {"PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}", "PELLUCID_QUIET": "1"}

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    data, by_hand = blocks(ENGLISH, "python")
    run(sys.executable, "-c", data)
    run("bash", "-ec", blocks(ENGLISH, "sh")[1])
    result = json.loads((tmp_path / "runs/high/result.json").read_text())
    assert result["test_accuracy"] > 0.9
    printed = run(sys.executable, "-W", "error", "-c", by_hand)
    assert float(printed.split()[-1]) > 0.95
