"""``pellucid predict``, ``export`` and ``import`` through the installed program."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image

import pellucid as package
from pellucid.data import load_digits
from pellucid.models import Affine, BatchNorm, Conv, MaxPool, Network, ReLU, resnet20
from pellucid.shipping import Model, Preprocessing
from pellucid.training import Solver, Views


@pytest.fixture(scope="module")
def digits_model(tmp_path_factory):
    data = load_digits().split(50, scale=64.0)
    steps = [Conv(8, pad=1, bias=False), BatchNorm(), ReLU(), MaxPool(2), Affine(10)]
    network = Network(steps, (1, 8, 8), rng=0)
    Solver(network, data, update_rule="adam", num_epochs=2, shuffle=True, rng=1).train()
    how = Preprocessing((8, 8), 1, data["X_train"].mean, 64.0)
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    Model(network, tuple("0123456789"), how, views=Views(flip=False, shift=1)).save(path)
    return path


@pytest.fixture
def pictures(pellucid):
    """Ten digits as files, and their labels."""
    digits = load_digits()
    folder = pellucid.folder / "pictures"
    (folder / "more").mkdir(parents=True)
    for i in range(10):
        place = folder / "more" if i > 6 else folder
        Image.fromarray(digits.X_test.pixels[i, ..., 0]).save(place / f"{i}.png")
    return folder


def test_files_folders_and_standard_input_are_answered_alike(pellucid, digits_model, pictures):
    model = package.load(digits_model)
    right = model.predict(load_digits().X_test.pixels[:10], top=2)
    lines = pellucid("predict", digits_model, "pictures", "--top", 2).stdout.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith(f"{pictures.name}{os.sep}0.png: {right[0].label} {100 * right[0].probability:.1f} %, ")
    done = pellucid("predict", digits_model, pictures / "3.png", pictures / "more", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["label"] for one in found] == [right[i].label for i in (3, 7, 8, 9)]
    assert found[0]["image"] == str(pictures / "3.png")
    assert found[0]["probability"] == pytest.approx(right[3].probability, rel=1e-5)
    assert len(found[0]["top"]) == 5
    stream = io.BytesIO()
    Image.open(pictures / "5.png").save(stream, "PNG")
    import subprocess

    from program import PROGRAM

    done = subprocess.run(
        [PROGRAM, "predict", digits_model, "-", "--json"], input=stream.getvalue(), capture_output=True, check=True
    )
    assert json.loads(done.stdout)["label"] == right[5].label


def test_views(pellucid, digits_model, pictures):
    model = package.load(digits_model)
    pixels = load_digits().X_test.pixels[:1]
    done = pellucid("predict", digits_model, pictures / "0.png", "--json", "--views", "--threads", 1)
    found = json.loads(done.stdout)
    assert found["probability"] == pytest.approx(model.predict(pixels, views=True)[0].probability, rel=1e-5)


def test_a_broken_picture_is_named_and_the_others_are_answered(pellucid, digits_model, pictures):
    (pictures / "4.png").write_bytes(b"no picture")
    done = pellucid("predict", digits_model, "pictures", "--json", status=2)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in one for one in found] == [i == 4 for i in range(10)]
    assert done.stderr.count("\n") == 1
    assert "4.png cannot be read: it is no picture" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.safetensors", "x.png"], "predict: none.safetensors does not exist"),
        ([".", "x.png"], "predict: the folder . has no model.safetensors"),
        (["MODEL"], "predict: say what to look at"),
        (["MODEL", "none.png"], "none.png does not exist"),
        (["MODEL", "empty"], "predict: the folder empty holds no pictures"),
        (["MODEL", "x.png", "--topp"], "predict: there is no option --topp; a file of that name is ./--topp"),
        (["MODEL", "x.png", "--top", "0"], "predict: --top is 0"),
        (["MODEL", "x.png", "--threads", "0"], "predict: --threads is 0"),
        (["text.safetensors", "x.png"], "text.safetensors: not a sound model file"),
        (["rows.safetensors", "x.png"], "does not say how pictures become the network's input"),
        (["rows.safetensors", "x.png", "--views"], "does not say"),
    ],
)
def test_what_cannot_be_predicted(pellucid, digits_model, arguments, message):
    (pellucid.folder / "empty").mkdir()
    (pellucid.folder / "text.safetensors").write_text("some text that is no model")
    Model(Network([Affine(3)], (4,), rng=0)).save(pellucid.folder / "rows.safetensors")
    arguments = [digits_model if argument == "MODEL" else argument for argument in arguments]
    done = pellucid("predict", *arguments, status=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_onnx_there_and_back(pellucid, digits_model, pictures):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    done = pellucid("export", digits_model, "digits.onnx")
    assert "largest difference" in done.stdout
    pellucid("import", "digits.onnx", "again.safetensors")
    before, after = package.load(digits_model), package.load(pellucid.folder / "again.safetensors")
    pixels = load_digits().X_test.pixels
    np.testing.assert_allclose(after.scores(pixels), before.scores(pixels), rtol=1e-5, atol=1e-4)
    assert after.classes == before.classes
    pellucid("export", digits_model, "pixels.onnx", "--pixels", "--opset", 20)
    assert "exists; name another file" in pellucid("export", digits_model, "pixels.onnx", status=2).stderr


def test_pytorchs_names_there_and_back(pellucid, digits_model):
    pellucid("export", digits_model, "torch.safetensors", "--names", "sequential")
    other = Model(Network(package.load(digits_model).network.steps, (1, 8, 8), rng=9))
    other.save(pellucid.folder / "other.safetensors")
    options = ["--like", "other.safetensors", "--classes", *"abcdefghij", "--mean", "128", "--scale", "64"]
    done = pellucid("import", "torch.safetensors", "again.safetensors", *options)
    assert "the names are those of sequential" in done.stdout
    after = package.load(pellucid.folder / "again.safetensors")
    X = np.random.default_rng(0).standard_normal((3, 1, 8, 8))
    np.testing.assert_array_equal(after.scores(X), package.load(digits_model).scores(X))
    assert after.classes == tuple("abcdefghij")
    assert (after.preprocessing.mean, after.preprocessing.scale) == (128, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "MODEL", "digits.bin"], "digits.bin ends neither in .onnx nor in .safetensors"),
        (["export", "MODEL", ".", "--to", "onnx"], "is a folder; name a file in it"),
        (["export", "MODEL", "taken.safetensors"], "taken.safetensors exists; name another file"),
        (["export", "MODEL", "t.safetensors", "--pixels"], "--pixels puts the preprocessing into an ONNX graph"),
        (["export", "MODEL", "t.onnx", "--names", "vgg"], "--names are PyTorch's"),
        (["export", "MODEL", "t.safetensors", "--names", "vgg"], "vgg"),
        (["export", "none", "t.onnx"], "none does not exist"),
        (["import", "none.onnx", "m.safetensors"], "none.onnx does not exist"),
        (["import", "taken.safetensors", "m.safetensors"], "give a model file of that network with --like"),
        (["import", "MODEL", "m.safetensors", "--like", "MODEL"], "pellucid import: |digits.safetensors"),
        (["import", "MODEL", "m.safetensors", "--input-shape", "1", "8", "8"], "--input-shape is for ONNX files"),
        (["import", "text.onnx", "m.safetensors"], "text.onnx"),
        (["import", "text.onnx", "m.safetensors", "--like", "MODEL"], "--like is for PyTorch weights"),
    ],
)
def test_what_cannot_be_exported_or_imported(pellucid, digits_model, arguments, message):
    for name in ("taken.safetensors", "text.onnx"):
        (pellucid.folder / name).write_text("some text that is no model")
    before = sorted(pellucid.folder.iterdir())
    arguments = [digits_model if argument == "MODEL" else argument for argument in arguments]
    done = pellucid(*arguments, status=2)
    assert any(part in done.stderr for part in message.split("|"))
    assert "Traceback" not in done.stderr
    assert sorted(pellucid.folder.iterdir()) == before


def test_a_ready_made_network_under_its_public_names(pellucid):
    Model(Network(resnet20(1, 4), (3, 32, 32), rng=0)).save(pellucid.folder / "m.safetensors")
    pellucid("export", "m.safetensors", "torch.safetensors")
    import safetensors.numpy

    assert "layer1.0.bn1.weight" in safetensors.numpy.load_file(pellucid.folder / "torch.safetensors")


def test_the_help_offers_every_naming():
    """It stands there as words, so that help need not load the networks."""
    from typing import get_args

    from pellucid.cli.model_commands import Names
    from pellucid.shipping.torch_names import NAMES

    assert set(get_args(Names)) == set(NAMES)
