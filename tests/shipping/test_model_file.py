"""One file is a whole model: what comes back, what a stranger's file may do, and what it costs."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given

import pellucid
from pellucid import tensors
from pellucid.models import Affine, BatchNorm, Conv, Network, ReLU, Step, ThreeLayerConvNet
from pellucid.shipping import Model, ModelFileError, Preprocessing, load_model
from pellucid.shipping.model_file import decoded, encoded
from pellucid.training import Views
from random_networks import networks

RNG = np.random.default_rng(3)
MEAN = RNG.uniform(0, 255, (1, 8, 8)).astype(np.float32)


def small(**others):
    network = Network([Conv(4, pad=1, bias=False), BatchNorm(), ReLU(), Affine(3)], (1, 8, 8), rng=0)
    network.loss(RNG.standard_normal((5, 1, 8, 8)), np.arange(5) % 3)
    settings = {"classes": ("ant", "bee", "蜂"), "preprocessing": Preprocessing((8, 8), 1, MEAN, 64.0, "pad")} | others
    return Model(network, **settings)


def content(model):
    return b"".join(map(bytes, encoded(model)))


def test_a_model_comes_back_whole(tmp_path):
    model = small(training={"epochs": 3, "recipe": {"train": {"keep": "best"}}}, views=Views(flip=True, shift=2))
    model.save(tmp_path / "m.safetensors")
    found = pellucid.load(tmp_path / "m.safetensors")
    pictures = RNG.integers(0, 256, (7, 8, 8, 1), np.uint8)
    np.testing.assert_array_equal(found.scores(pictures), model.scores(pictures))
    np.testing.assert_array_equal(found.scores(pictures, views=True), model.scores(pictures, views=True))
    assert found.classes == model.classes
    assert found.training == model.training
    assert found.views == model.views
    np.testing.assert_array_equal(found.preprocessing.mean, MEAN)
    assert (found.preprocessing.size, found.preprocessing.channels) == ((8, 8), 1)
    assert (found.preprocessing.scale, found.preprocessing.fit) == (64.0, "pad")
    assert repr(found.network.steps) == repr(model.network.steps)
    found.network.loss(RNG.standard_normal((5, 1, 8, 8)), np.arange(5) % 3)  # can be trained on


@given(networks())
def test_any_network_predicts_the_same_after_it_was_saved(network):
    if len(network.output_shape) != 1:
        return
    found = decoded(content(Model(network))).network
    X = np.random.default_rng(0).standard_normal((3, *network.input_shape))
    np.testing.assert_array_equal(found.loss(X), network.loss(X))


def test_other_tools_read_the_tensors(tmp_path):
    model = small()
    model.save(tmp_path / "m.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    statistics = {"batchnorm1.running_mean", "batchnorm1.running_var"}
    assert found.keys() == model.network.params.keys() | statistics | {"preprocessing/mean"}
    np.testing.assert_array_equal(found["conv1.w"], model.network.params["conv1.w"])


def test_the_courses_classes_are_saved_too(tmp_path):
    course = ThreeLayerConvNet((1, 8, 8), 4, 3, 8, num_classes=3, weight_scale=0.1, rng=0)
    model = Model(course, preprocessing=Preprocessing((8, 8), 1))
    model.save(tmp_path / "m")
    X = RNG.standard_normal((3, 1, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(load_model(tmp_path / "m").scores(X), course.loss(X), atol=1e-6)
    assert load_model(tmp_path / "m").classes == ("0", "1", "2")


@dataclass(repr=False, eq=False)
class Double(Step):
    """Everything twice."""

    times: float = 2.0

    def forward(self, x, params, mode):
        return self.times * x, None

    def backward(self, dout, cache):
        return self.times * dout, {}


def test_a_step_of_ones_own_is_handed_over(tmp_path):
    Model(Network([Double(3.0), Affine(2)], (4,), rng=0)).save(tmp_path / "m")
    with pytest.raises(ModelFileError, match=r"no step 'Double'.*steps=\[TheClass\]"):
        load_model(tmp_path / "m")
    assert load_model(tmp_path / "m", steps=[Double]).network.steps[0].times == 3.0
    with pytest.raises(TypeError, match="load: steps holds 'Double'"):
        load_model(tmp_path / "m", steps=["Double"])


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "m"
    small().save(path)
    before = path.read_bytes()
    broken = small()
    broken.network.params["affine1.b"][0] = np.nan
    with pytest.raises(ValueError, match=r"save: affine1\.b holds nan"):
        broken.save(path)
    with pytest.raises(ValueError, match="save: the training record is no plain data"):
        small(training={"when": object()}).save(path)
    with pytest.raises(OSError, match=r"the folder .* is missing"):
        small().save(tmp_path / "none" / "m")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_a_file_cut_short_or_changed_anywhere_is_refused():
    whole = content(small())
    for size in [*range(0, len(whole), 7), len(whole) - 1]:
        with pytest.raises(ModelFileError, match="not a sound model file"):
            decoded(whole[:size])
    for place in range(0, len(whole), 5):
        with pytest.raises(ModelFileError, match="not a sound model file"):
            decoded(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])


def rewritten(change, arrays=None, metadata=None):
    """The file of `small` with another description, whose digest is right."""
    whole = content(small())
    found = dict(tensors.arrays_of(whole)) if arrays is None else arrays
    kept = tensors.header_of(whole).metadata
    about = json.loads(kept["model"])
    change(about)
    kept = {"format": kept["format"], "format_version": "1", "model": json.dumps(about)} | (metadata or {})
    return b"".join(map(bytes, tensors.encoded(found, kept)))


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(about):
        for key in path:
            about = about[key]
        about[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("network", []), "the network is a list; it must be a dictionary"),
        (put("network", "steps", [{"step": "Evil"}]), "there is no step 'Evil'"),
        (put("network", "steps", 3, "units", 10**7), r"'affine1.w' has the shape \(256, 3\)"),
        (put("network", "input_shape", [1, 2**14, 2**15]), "more than 268,435,456 numbers"),
        (put("network", "input_shape", [2, 8, 8]), "'conv1.w' has the shape"),
        (put("classes", ["ant", "bee"]), "classes has 2 names; it must have 3"),
        (put("classes", ["ant", "ant", "bee"]), "all different"),
        (put("classes", "abc"), "classes must be a list"),
        (put("classes", ["ant", "bee", 3]), "classes is .*it must be a list of names"),
        (put("preprocessing", "size", [8]), "size is"),
        (put("preprocessing", "size", [9, 8]), "mean has shape"),
        (put("preprocessing", "size", [10**9, 10**9]), "more than 64,000,000 numbers"),
        (put("preprocessing", "channels", 3), "Preprocessing|ByteImages"),
        (put("preprocessing", "fit", "shrink"), "fit is 'shrink'"),
        (put("preprocessing", "scale", 0), "scale is 0"),
        (put("preprocessing", "scale", float("nan")), "scale is nan"),
        (put("preprocessing", "mean", 3.0), "a mean both as a number and as an array"),
        (put("preprocessing", "eval", "1"), "unknown key 'eval'"),
        (put("preprocessing", None), "there is a preprocessing/mean but no preprocessing"),
        (put("views", {"flip": 1}), "flip is 1"),
        (put("views", []), "views is a list"),
        (put("training", []), "training record an object"),
        (put("more", 1), "unknown key 'more'"),
    ],
)
def test_what_a_stranger_may_have_written(change, message):
    decoded(rewritten(lambda about: None))
    with pytest.raises(ModelFileError, match=f"(?s)x: not a sound model file: .*({message}).*Use another copy"):
        decoded(rewritten(change), "x")


def test_arrays_of_other_kinds():
    good = tensors.arrays_of(content(small()))
    for name, array, message in [
        ("conv1.w", good["conv1.w"].astype(np.int32), "'conv1.w' has the type 'I32'; it must be one of F32"),
        ("conv1.w", np.zeros((4, 1, 3, 0), np.float32), "'conv1.w' has the shape"),
        ("preprocessing/what", np.zeros(3), "no use for the array 'preprocessing/what'"),
        ("preprocessing/mean", np.zeros((3, 8, 8)), "ByteImages"),
        ("preprocessing/mean", np.full((1, 8, 8), np.inf), "mean holds inf"),
        ("batchnorm1.running_var", np.full(4, -1.0, np.float32), "a variance is not below zero"),
        ("affine1.b", np.full(3, np.nan, np.float32), "affine1.b holds nan"),
    ]:
        with pytest.raises(ModelFileError, match=message):
            decoded(rewritten(lambda about: None, good | {name: array}))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "pt"}, "a PyTorch state dictionary; read it with: pellucid import"),
        ({"format": "pellucid-checkpoint"}, "make a model of its run: pellucid save RUN"),
        ({"format": ""}, "no model of pellucid"),
        ({"format_version": "2"}, "upgrade this one"),
        ({"format_version": "²"}, "there is no such version"),
        ({"format_version": "9" * 5000}, "there is no such version"),
        ({"model": "{"}, "Expecting"),
        ({"model": "[" * 100_000}, "recursion"),
        ({"model": '{"network": ' + "9" * 5000 + "}"}, "4300"),
    ],
)
def test_metadata_of_other_kinds(metadata, message):
    with pytest.raises(ModelFileError, match=message):
        decoded(rewritten(lambda about: None, metadata=metadata))


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"load: path is '.*none', which does not exist \(looked from "):
        load_model(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=r"load: .* is a folder; give the model file itself; a run has "):
        load_model(tmp_path)
    with pytest.raises(TypeError, match="load: path is 3"):
        load_model(3)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ModelFileError, match="a pipe or a device"):
            load_model(path)
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 2**40)  # takes no room on the disk
    with pytest.raises(ModelFileError, match="no more than 2,147,483,648 are read"):
        load_model(tmp_path / "huge")
    (tmp_path / "header").write_bytes((2**40).to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelFileError, match="does not begin as a safetensors file"):
        load_model(tmp_path / "header")
    os.truncate(tmp_path / "header", 2**30)
    with (tmp_path / "header").open("r+b") as file:
        file.write((2**29).to_bytes(8, "little"))
    with pytest.raises(ModelFileError, match="its header has 536,870,912 bytes"):
        load_model(tmp_path / "header")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's here")
def test_a_file_that_claims_100_gigabytes_takes_no_memory(tmp_path):
    """In a process that may take no more than 300 MB beyond what it has when it starts to read."""
    about = {"network": {"input_shape": [5000], "steps": [{"step": "Affine", "units": 5_000_000, "bias": False}]}}
    header = {"affine1.w": {"dtype": "F32", "shape": [5000, 5_000_000], "data_offsets": [0, 100_000_000_000]}}
    header["__metadata__"] = {"format": "pellucid-model", "format_version": "1", "model": json.dumps(about)}
    text = json.dumps(header).encode()
    path = tmp_path / "m"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(1000))
    code = f"""
        import resource
        from pellucid.shipping import load_model, Model
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
        try:
            load_model({str(path)!r})
        except ValueError as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert "promises more numbers than the file holds" in run.stdout, run.stderr
