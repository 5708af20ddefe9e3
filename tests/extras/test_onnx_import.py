"""ONNX files as networks: what was exported comes back the same, and a file from a stranger ends in a clear error."""

import itertools
import json
import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx_graphs import drawn, graph, node
from pellucid.extras import onnx_reading
from pellucid.extras.onnx_export import export_onnx
from pellucid.extras.onnx_graph import parts_of
from pellucid.extras.onnx_import import OnnxImportError, import_onnx, network_of
from pellucid.models import (
    GELU,
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    Residual,
    Scale,
    SiLU,
    Softmax,
    Subsample,
    airbench,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)
from pellucid.shipping import Preprocessing
from random_networks import fill, images_for, networks, worst

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[onnx]'")

BOUND = 1e-5
IMAGE = ("N", None, None, None)
READY_MADE = {
    "airbench": (airbench((8, 16, 16)), (3, 32, 32)),
    "airbench, three convolutions": (airbench((8, 16, 16), convolutions=3), (3, 32, 32)),
    "resnet9": (resnet9(8), (3, 32, 32)),
    "resnet20": (resnet20(width=4), (3, 32, 32)),
    "resnet20 with projections": (resnet20(1, width=4, shortcut="projection"), (3, 32, 32)),
    "tutorial": (tutorial(), (3, 32, 32)),
    "vgg": (vgg(), (3, 32, 32)),
}
EVERYTHING = [
    Conv(4, 3, pad=1, name="stem"), BatchNorm(scale=False), GELU(),
    Residual([Conv(4, 3, pad=1), GroupNorm(2), Residual([SiLU()])], shortcut=[Subsample(4, 1)]),
    MaxPool(2), LayerNorm(), Dropout(0.5), GlobalAvgPool(), Affine(3, name="head"), Scale(0.5),
]  # fmt: skip


def save(path, model):
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def read_back(path):
    """The network that computes all that the file does, and the notes."""
    parts = parts_of(onnx_reading.read_file(path))
    return network_of(parts, str(path)), parts.notes


@pytest.mark.parametrize("name", READY_MADE)
def test_a_ready_made_network_comes_back_the_same(name, tmp_path):
    net = fill(Network(*READY_MADE[name], rng=0))
    export_onnx(net, tmp_path / "m.onnx", verify=False)
    back = import_onnx(tmp_path / "m.onnx").network
    X = images_for(net)
    assert worst(back.loss(X), net.loss(X)) <= BOUND
    assert {name: array.shape for name, array in back.params.items()} == {
        name: array.shape for name, array in net.params.items()
    }
    assert [step.describe() for step in back.steps if not isinstance(step, Conv | Affine | Scale)] == [
        step.describe() for step in net.steps if not isinstance(step, Conv | Affine | Scale)
    ]


@settings(max_examples=200, deadline=None)
@given(net=networks(), opset=st.sampled_from([14, 17, 21, onnx.defs.onnx_opset_version()]))
def test_a_random_network_comes_back_the_same(net, opset, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    export_onnx(net, path, opset=opset, verify=False)
    back, _ = read_back(path)
    X = images_for(net)
    assert back.dtype == net.dtype and back.input_shape == net.input_shape
    assert worst(back.loss(X), net.loss(X)) <= BOUND
    imported = import_onnx(path)
    if isinstance(net.steps[-1], Softmax):
        scores = np.exp(imported.network.loss(X).astype(np.float64))
        assert worst(scores / scores.sum(axis=1, keepdims=True), net.loss(X)) <= BOUND


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_steps_parameters_and_names_come_back(opset, tmp_path):
    net = fill(Network(EVERYTHING, (2, 6, 6), rng=0))
    export_onnx(net, tmp_path / "m.onnx", opset=opset, verify=False)
    imported = import_onnx(tmp_path / "m.onnx")
    back = imported.network
    assert list(back.params) == list(net.params)
    for name, array in net.params.items():
        np.testing.assert_array_equal(back.params[name], array, err_msg=name)
    for mine, theirs in zip(back.bn_params, net.bn_params, strict=True):
        assert (mine["momentum"], mine["eps"]) == (theirs["momentum"], theirs["eps"])
        np.testing.assert_array_equal(mine["running_var"], theirs["running_var"])
    assert "Dropout" not in repr(back.steps)  # an exported file has none
    assert imported.notes == ("the output 'probabilities' was left out: it is the Softmax of 'scores'",)
    assert str(imported).startswith(str(back.summary())) and "probabilities" in str(imported)


def test_an_imported_network_is_trained_on(tmp_path):
    net = fill(Network(EVERYTHING, (2, 6, 6), rng=0))
    export_onnx(net, tmp_path / "m.onnx", verify=False)
    back = import_onnx(tmp_path / "m.onnx").network
    X, y = images_for(back, 8), np.arange(8) % 3
    first, grads = back.loss(X, y)
    assert set(grads) == set(back.params)
    for name, gradient in grads.items():
        back.params[name] -= 0.05 * gradient
    assert back.loss(X, y)[0] < first


def test_a_softmax_at_the_end_is_left_out_and_the_scores_stay(tmp_path):
    arrays = {"w": drawn(108, 5)}
    for op in ("Softmax", "LogSoftmax"):
        nodes = [node("Flatten", "x", "f"), node("MatMul", "f w", "m"), node(op, "m")]
        imported = import_onnx(save(tmp_path / "m.onnx", graph(nodes, arrays)))
        assert [type(step).__name__ for step in imported.network.steps] == ["Affine"]
        assert imported.notes == (f"the last {op} was left out: the network gives scores",)
        X = drawn(2, 3, 6, 6)
        np.testing.assert_allclose(imported.network.loss(X), X.reshape(2, -1) @ arrays["w"], rtol=1e-4)


def test_scores_of_one_pixel_become_rows_and_images_have_no_loss(tmp_path):
    arrays = {"w": drawn(4, 3, 6, 6)}
    imported = import_onnx(save(tmp_path / "m.onnx", graph([node("Conv", "x w")], arrays, out=IMAGE)))
    assert imported.network.output_shape == (4,) and "Flatten was put at the end" in imported.notes[0]
    imported = import_onnx(save(tmp_path / "m.onnx", graph([node("Relu", "x")], out=IMAGE)))
    assert imported.network.loss(drawn(2, 3, 6, 6)).shape == (2, 3, 6, 6)
    with pytest.raises(ValueError, match="this network was imported and gives images"):
        imported.network.loss(drawn(2, 3, 6, 6), np.array([0, 1]))


def test_a_graph_that_changes_nothing(tmp_path):
    imported = import_onnx(save(tmp_path / "m.onnx", graph([node("Identity", "x")], out=IMAGE)))
    X = drawn(2, 3, 6, 6)
    np.testing.assert_array_equal(imported.network.loss(X), X)
    assert imported.notes == ("the graph changes nothing; Scale(1.0) stands for it",)


def test_dead_ends_are_left_out_and_said(tmp_path):
    nodes = [node("Relu", "x"), node("Exp", "x", "nobody"), node("Loud", "nobody", "either", domain="a.b")]
    model = graph(nodes, out=IMAGE)
    model.opset_import.append(onnx.helper.make_opsetid("a.b", 1))
    imported = import_onnx(save(tmp_path / "m.onnx", model))
    assert len(imported.notes) == 2 and "(Exp) was left out: nobody reads what it gives" in imported.notes[1]


# The input's shape.


def test_open_sizes_are_given_by_the_caller(tmp_path):
    path = save(tmp_path / "m.onnx", graph([node("Relu", "x")], shape=("N", 3, "H", "W"), out=IMAGE))
    with pytest.raises(OnnxImportError, match=r"axes \[2, 3\] are open: .*; give input_shape"):
        import_onnx(path)
    assert import_onnx(path, input_shape=(3, 8, 9)).network.input_shape == (3, 8, 9)
    for wrong in ((4, 8, 9), (8, 9)):
        with pytest.raises(OnnxImportError, match="but its input is declared as"):
            import_onnx(path, input_shape=wrong)
    with pytest.raises(ValueError, match=r"import_onnx: input_shape is 0; it must be at least 1"):
        import_onnx(path, input_shape=(3, 0, 9))
    with pytest.raises(TypeError, match="import_onnx: input_shape is 8; it must be a tuple"):
        import_onnx(path, input_shape=8)


def test_a_fixed_batch_is_opened(tmp_path):
    nodes = [node("Reshape", "x s")]
    model = graph(nodes, {"s": np.array([1, 108])}, shape=(1, 3, 6, 6), out=(1, 108))
    imported = import_onnx(save(tmp_path / "m.onnx", model))
    assert imported.network.loss(drawn(5, 3, 6, 6)).shape == (5, 108)


def test_an_output_that_is_declared_otherwise(tmp_path):
    path = save(tmp_path / "m.onnx", graph([node("Relu", "x")], out=("N", 3, 6, 7)))
    with pytest.raises(OnnxImportError, match=r"its output 'y' is declared as .*6, 7\), but the nodes give .*6, 6\)"):
        import_onnx(path)


# Pictures.


def test_preprocessing_in_the_graph_is_taken_out_of_it(tmp_path):
    net = fill(Network([Scale(0.5), Conv(4, 3), GlobalAvgPool()], (3, 6, 5), rng=0))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    for mean, scale in (
        (None, 1.0),
        (120.5, 60.0),
        (np.float32([1.5, 2.25, 120.7]), np.float32([3, 4, 5.1])),
        (drawn(3, 6, 5), 255.0),
    ):
        preprocessing = Preprocessing((6, 5), mean=mean, scale=scale, fit="pad")
        export_onnx(net, tmp_path / "m.onnx", preprocessing=preprocessing, pixels=True, verify=False)
        imported = import_onnx(tmp_path / "m.onnx")
        found = imported.preprocessing
        assert found.fit == "pad"
        np.testing.assert_array_equal(found.floats(pixels), preprocessing.floats(pixels))
        X = preprocessing.floats(pixels)
        assert worst(imported.network.loss(X), net.loss(X)) <= BOUND


def test_preprocessing_in_a_strangers_graph(tmp_path):
    nodes = [node("Cast", "x", "f", to=1), node("Div", "f d", "g"), node("Sub", "g m", "h"), node("Relu", "h")]
    arrays = {"d": np.float32(255), "m": np.float32([0.25, 0.5, 0.75]).reshape(1, 3, 1, 1)}
    model = graph(nodes, arrays, elem_type=2, out=IMAGE)
    imported = import_onnx(save(tmp_path / "m.onnx", model))
    assert [type(step).__name__ for step in imported.network.steps] == ["ReLU"]
    np.testing.assert_allclose(imported.preprocessing.mean, [63.75, 127.5, 191.25])
    assert imported.preprocessing.scale == 255.0 and imported.preprocessing.size == (6, 6)
    with pytest.raises(OnnxImportError, match="it reads integers; floating numbers are available"):
        import_onnx(save(tmp_path / "m.onnx", graph([node("Relu", "x")], elem_type=2, out=IMAGE)))


def metadata(tmp_path, **entries):
    nodes, arrays = [node("GlobalAveragePool", "x", "p"), node("Flatten", "p")], {}
    return import_onnx(save(tmp_path / "m.onnx", graph(nodes, arrays, metadata=entries)))


def test_classes_and_preprocessing_in_the_metadata(tmp_path):
    net = Network([GlobalAvgPool()], (3, 4, 4))
    preprocessing = Preprocessing((4, 4), mean=[1.0, 2.0, 3.5], scale=2.0, fit="stretch")
    export_onnx(net, tmp_path / "m.onnx", classes=["a", "b", "ç"], preprocessing=preprocessing, verify=False)
    imported = import_onnx(tmp_path / "m.onnx")
    found = imported.preprocessing
    assert imported.classes == ("a", "b", "ç")
    assert (found.size, found.channels, found.scale, found.fit) == ((4, 4), 3, 2.0, "stretch")
    np.testing.assert_array_equal(found.mean, [1.0, 2.0, 3.5])


@pytest.mark.parametrize(
    "classes",
    ['["a", "b"]', '["a", "b", "b"]', "[1, 2, 3]", '{"a": 1}', "nonsense", "[" * 100_000, '"abc"', "[NaN]", "null x"],
)
def test_classes_that_cannot_be_understood_are_left_out(classes, tmp_path):
    imported = metadata(tmp_path, classes=classes)
    assert imported.classes is None
    assert "the metadata's classes was left out" in imported.notes[0] or "were left out" in imported.notes[0]


SOUND = {"size": [6, 6], "channels": 3, "mean": [1, 2, 3], "scale": 2.0, "fit": "crop"}


@pytest.mark.parametrize(
    "changes",
    [
        {"size": [6, 7]}, {"size": [6]}, {"size": "66"}, {"size": None}, {"size": [10**9, 10**9]}, {"size": [6.5, 6]},
        {"channels": 4}, {"channels": "3"}, {"mean": [1, 2]}, {"mean": "x"}, {"mean": {}}, {"mean": [[1]]},
        {"mean": [1, 2, 10**400]}, {"scale": 0}, {"scale": -1}, {"scale": [1, 2]}, {"scale": None}, {"fit": "tear"},
        {"fit": []}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_preprocessing_that_is_not_sound_is_left_out(changes, tmp_path):
    imported = metadata(tmp_path, preprocessing=json.dumps({**SOUND, **changes}))
    assert imported.preprocessing is None
    assert "the metadata's preprocessing was left out" in imported.notes[0]
    assert metadata(tmp_path, preprocessing=json.dumps(SOUND)).preprocessing is not None


# Files from strangers.


def test_what_is_no_onnx_file(tmp_path):
    for content in (b"", b"\x00" * 100, b"PK\x03\x04 a zip", b"GIF89a", b"hello " * 1000, b"\x08\x09", b"\x0a"):
        with pytest.raises(OnnxImportError, match=r"m\.onnx: not a sound ONNX file: .*export it again"):
            import_onnx(save(tmp_path / "m.onnx", content))
    with pytest.raises(OnnxImportError, match="not a regular file"):
        import_onnx(tmp_path)
    with pytest.raises(FileNotFoundError):
        import_onnx(tmp_path / "no such file")
    with pytest.raises(TypeError, match="import_onnx: path is a int"):
        import_onnx(7)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OnnxImportError, match="not a regular file"):
        import_onnx(tmp_path / "pipe")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(2**31 + 1)  # takes no room on the disk
    with pytest.raises(OnnxImportError, match=r"2,147,483,649 bytes; ONNX files have at most 2,147,483,648"):
        import_onnx(tmp_path / "m.onnx")


def test_a_file_cut_short_anywhere(tmp_path):
    export_onnx(Network(EVERYTHING, (2, 6, 6), rng=0), tmp_path / "m.onnx", verify=False)
    data = (tmp_path / "m.onnx").read_bytes()
    for end in range(0, len(data) - 1, 97):
        with pytest.raises(OnnxImportError):
            import_onnx(save(tmp_path / "short.onnx", data[:end]))


def conv():
    return graph([node("Conv", "x w")], {"w": drawn(4, 3, 3, 3)}, out=IMAGE)


def test_numbers_in_other_files_are_never_looked_for(tmp_path):
    model = conv()
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../../etc/passwd")
    tensor.ClearField("raw_data")
    path = save(tmp_path / "m.onnx", model)
    with pytest.raises(OnnxImportError, match=r"initializer 'w': its numbers are in another file, and no path"):
        import_onnx(path)
    model = graph([node("Constant", "", "w"), node("Conv", "x w")], out=IMAGE)
    attribute = model.graph.node[0].attribute.add(name="value", type=4)
    attribute.t.CopyFrom(tensor)
    with pytest.raises(
        OnnxImportError, match=r"node 0 \(Constant\): its attribute 'value': its numbers are in another"
    ):
        import_onnx(save(path, model))


def altered(change):
    model = conv()
    change(model)
    return model


def _claim(model):
    model.graph.initializer[0].dims[0] = 25_000_000_000


def _both(model):
    model.graph.initializer[0].float_data.append(1.0)


def _other_field(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.int64_data.extend(range(108))


def _dims(*dims):
    def change(model):
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    return change


def _twice(model):
    model.graph.initializer.append(model.graph.initializer[0])


def _graph_inside(model):
    model.graph.node[0].attribute.add(name="then", type=5).g.name = "inside"


def _sparse(model):
    model.graph.sparse_initializer.add()


def _function(model):
    model.functions.add(name="f")


def _training(model):
    model.training_info.add()


def _quantised(model):
    model.graph.quantization_annotation.add()


def _of_a_function(model):
    attribute = model.graph.node[0].attribute.add(name="group", type=2)
    attribute.ref_attr_name = "other"


def _attribute_twice(model):
    for _ in range(2):
        model.graph.node[0].attribute.add(name="group", type=2, i=1)


def _unknown_attribute(model):
    model.graph.node[0].attribute.add(name="colour", type=2, i=1)


def _long_attribute(model):
    model.graph.node[0].attribute.add(name="pads", type=7, ints=[0] * 100_001)


def _no_opset(model):
    del model.opset_import[:]


def _old(model):
    model.opset_import[0].version = 5


def _newer(model):
    model.opset_import[0].version = 9999


def _loop(model):
    model.graph.node[0].input[0] = "y"


def _unknown_input(model):
    model.graph.node[0].input[0] = "nowhere"


def _shadow(model):
    model.graph.node[0].output[0] = "w"


def _no_output(model):
    model.graph.output[0].name = "elsewhere"


def _constant_output(model):
    model.graph.output[0].name = "w"


def _two_inputs(model):
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[1].name = "second"


def _two_outputs(model):
    model.graph.node.append(node("Relu", "y", "z"))
    model.graph.output.add().CopyFrom(model.graph.output[0])
    model.graph.output[1].name = "z"


def _no_tensor(model):
    model.graph.input[0].type.Clear()
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1


def _integers(model):
    model.graph.input[0].type.tensor_type.elem_type = 7


def _five_axes(model):
    model.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 3


def _huge(model):
    for dim in model.graph.input[0].type.tensor_type.shape.dim:
        dim.dim_value = 2**40


def _many_nodes(model):
    model.graph.node.extend([node("Relu", "x", f"t{i}") for i in range(10_001)])


def _bad_name(model):
    model.graph.node[0].name = "n" * 10_000
    _unknown_attribute(model)


HOSTILE = {
    "a claim of 100 GB": (_claim, r"'w': its shape \(25000000000, 3, 3, 3\) says 675,000,000,000 numbers.*holds 108"),
    "two places for the numbers": (_both, "numbers stand in raw_data and float_data"),
    "numbers of another type": (_other_field, "numbers stand in int64_data; float32 stands in"),
    "a shape below zero": (_dims(-4, -27), r"it has the shape \(-4, -27\)"),
    "a shape of many axes": (_dims(*([1] * 20), 108), "there may be 16 axes"),
    "an empty shape that is vast": (_dims(0, 2**62), "2..40 numbers"),
    "two of one name": (_twice, "ONNX's checker refuses it: .*initializer"),
    "a graph in a node": (_graph_inside, r"node 0 \(Conv\): its attribute 'then' is a graph inside"),
    "sparse tensors": (_sparse, "it has sparse tensors"),
    "functions": (_function, "it has functions of its own"),
    "training": (_training, "it has a graph for training"),
    "quantised": (_quantised, "it has quantised tensors"),
    "an attribute of a function": (_of_a_function, "stands for that of a function"),
    "an attribute twice": (_attribute_twice, "attribute 'group' twice|checker refuses it"),
    "an attribute that is unknown": (_unknown_attribute, "Unrecognized attribute: colour"),
    "an attribute without end": (_long_attribute, "'pads' has more than 100,000 numbers"),
    "no opset": (_no_opset, "checker refuses it|opset none"),
    "an old opset": (_old, r"opset \[5\]; one from 6 to \d+, the newest"),
    "an opset to come": (_newer, r"opset \[9999\]; one from 6 to \d+, the newest"),
    "a loop": (_loop, "topologically sorted"),
    "an input from nowhere": (_unknown_input, "topologically sorted"),
    "an output that is there already": (_shadow, "checker refuses it|which there is already"),
    "an output from nowhere": (_no_output, "its output 'elsewhere' is given by no node|checker refuses"),
    "an output that is a constant": (_constant_output, "its output does not depend on its input"),
    "two inputs": (_two_inputs, r"it has 2 inputs \('x', 'second'\); a network has one"),
    "two outputs": (_two_outputs, r"it has 2 outputs \('y', 'z'\); a network has one; keep one"),
    "a sequence": (_no_tensor, "'x' is no tensor"),
    "integers": (_integers, "its input 'x' is of int64"),
    "five axes": (_five_axes, r"its input 'x' has the shape \(None, 3, 6, 6, 3\)"),
    "a vast input": (_huge, r"its input has \(1099511627776, .* a sample, more than 268,435,456 numbers"),
    "too many nodes": (_many_nodes, "it has 10,002 nodes; at most 10,000 are read"),
    "a name without end": (_bad_name, "checker refuses it"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused(what, tmp_path):
    change, message = HOSTILE[what]
    with pytest.raises(OnnxImportError, match=message) as caught:
        import_onnx(save(tmp_path / "m.onnx", altered(change)))
    assert str(caught.value).startswith(str(tmp_path / "m.onnx")) and len(str(caught.value)) < 1500


BOMBS = {
    "a constant of nothing": (
        [node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": np.array([2**31, 2**31])}, "ConstantOfShape"),
    "an expansion": (
        [node("Expand", "c s", "e"), node("Add", "x e")], {"c": np.float32(1), "s": np.array([2**20] * 2)}, "Expand"),
    "a constant that doubles": (
        [node("Concat", "c c", "k0", axis=0)]
        + [node("Concat", f"k{i} k{i}", f"k{i + 1}", axis=0) for i in range(40)] + [node("Add", "x k40")],
        {"c": drawn(9)}, "Concat"),
    "an image that grows": (
        [node("Pad", "x p")], {"p": np.array([0, 0, 2**30, 2**30, 0, 0, 2**30, 2**30])}, "more than 268,435,456"),
    "weights that are shared": (
        [node("Flatten", "x", "m0")] + [node("MatMul", f"m{i} w", f"m{i + 1}") for i in range(9_000)]
        + [node("Relu", "m9000")], {"w": drawn(108, 108)}, "far more numbers than the file holds"),
    "branches in branches": (
        [node("Add", "x x", "a0")] + [node("Add", f"a{i} x", f"a{i + 1}") for i in range(3_000)]
        + [node("Relu", "a3000")],
        {}, "nested more than 16 deep"),
}  # fmt: skip


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_does_not_go_off(what, tmp_path):
    nodes, arrays, message = BOMBS[what]
    out = ("N", None) if "shared" in what else IMAGE
    with pytest.raises(OnnxImportError, match=message):
        import_onnx(save(tmp_path / "m.onnx", graph(nodes, arrays, out=out)))


def field(number, content):
    """A protobuf field of bytes."""
    head = b""
    for value in (number << 3 | 2, len(content)):
        while value > 127:
            head += bytes([value & 127 | 128])
            value >>= 7
        head += bytes([value])
    return head + content


@pytest.mark.parametrize(
    "data, message",
    [
        (field(7, b"\x0a\x00" * 1_000_001), "more than 1,000,000 fields"),
        (field(7, b"\x0a\x7f"), "a field claims 127 bytes where 0 are left"),
        (field(7, field(5, field(7, b"\x01" * (2**22 + 1)))), "bytes of integers that are not stored as raw data"),
        (b"\xff" * 11, "a number has more than ten bytes"),
        (b"\x0b", "wire type 3"),
        (field(7, b"")[:1], "ends in the middle"),
    ],
)
def test_bytes_are_counted_before_protobuf_reads_them(data, message, tmp_path):
    with pytest.raises(OnnxImportError, match=message):
        import_onnx(save(tmp_path / "m.onnx", data))


def test_messages_in_messages():
    data = b""
    for _ in range(40):  # a node's attribute, a graph, in a node's attribute
        data = field(1, field(5, field(6, data)))
    with pytest.raises(OnnxImportError, match="nested more than 16 deep"):
        onnx_reading.graph_of(onnx, field(7, data), "m.onnx")


def test_long_chains_are_read_without_recursion(tmp_path):
    names = ["x", *(f"t{i}" for i in range(9_999)), "y"]
    nodes = [node("Add", f"{a} {a}", b) for a, b in itertools.pairwise(names)]
    imported = import_onnx(save(tmp_path / "m.onnx", graph(nodes, out=IMAGE)))
    assert len(imported.network.steps) == 10_000


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_file_with_other_bytes_is_read_or_refused(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    export_onnx(Network(EVERYTHING, (2, 6, 6), rng=0), path, verify=False)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            content[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        imported = import_onnx(save(path, bytes(content)))
    except OnnxImportError as error:
        assert str(error).startswith(str(path))
    else:
        assert imported.network.params


def test_without_onnx_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"import_onnx: .*pip install 'pellucid\[onnx\]'"):
        import_onnx(tmp_path / "m.onnx")
