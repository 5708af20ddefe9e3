"""ONNX's operators read as steps: its own operator tests, and graphs as exporters write them beside ONNX Runtime."""

import re

import numpy as np
import pytest

import onnx_cases
from onnx_graphs import drawn, graph, node, run_elsewhere
from pellucid.extras.onnx_graph import parts_of
from pellucid.extras.onnx_import import OnnxImportError, import_onnx, network_of
from pellucid.extras.onnx_operators import OPERATORS
from pellucid.extras.onnx_reading import graph_of
from random_networks import worst

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[onnx]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[onnx]'")

LEAST_PASSING = 124
NAMED = {
    "AveragePool": 7, "BatchNormalization": 2, "Conv": 6, "Dropout": 5, "Flatten": 3, "Gemm": 7,
    "GlobalAveragePool": 2, "MaxPool": 13, "Relu": 1, "Softmax": 3,
}  # fmt: skip
"""Of ONNX's tests of single operators, how many pass at least."""
BOUND = 1e-5


@pytest.fixture(scope="module")
def all_outcomes():
    return onnx_cases.outcomes()


@pytest.mark.slow
def test_every_case_passes_or_is_refused_as_the_page_says(all_outcomes):
    known, others = all_outcomes
    page = onnx_cases.PAGE.read_text(encoding="utf-8")
    version, sides = onnx_cases.listed(page)
    found = {name.removeprefix("test_"): not reason for name, reason in known.items()}
    assert {name: side for name, side in found.items() if sides.get(name, side) != side} == {}
    if version == onnx.__version__:
        assert found == sides
        assert onnx_cases.list_of(known, others) in page, "python tests/onnx_cases.py writes the list anew"
    assert len(found) > 400 and len(others) > 1000


def test_as_many_cases_pass_as_ever(all_outcomes):
    known, _ = all_outcomes
    assert sum(not reason for reason in known.values()) >= LEAST_PASSING


def test_the_named_operators_pass_their_own_cases(all_outcomes):
    known, _ = all_outcomes
    passed = {name for name, reason in known.items() if not reason}
    counts = dict.fromkeys(NAMED, 0)
    for case in onnx_cases.cases():
        if case.name in passed and len(case.operators) == 1 and not case.name[5:6].isupper():
            counts[case.operators[0]] = counts.get(case.operators[0], 0) + 1
    assert {op: counts[op] for op, least in NAMED.items() if counts[op] < least} == {}


def test_the_page_has_every_operator():
    table = onnx_cases.PAGE.read_text(encoding="utf-8").split("| --- | --- |")[1].split("\n\n")[0]
    found = {name for line in table.splitlines() for name in line.split("|")[1:2] for name in re.findall(r"\w+", name)}
    assert found == set(OPERATORS)


def imported(model, input_shape=None):
    parts = parts_of(graph_of(onnx, model.SerializeToString(), "case"), input_shape)
    return network_of(parts, "case"), parts


def check(model, *shape, dtype=np.float32, steps=None, bound=BOUND):
    """The graph gives here what it gives elsewhere; returns the network."""
    network, parts = imported(model)
    x = drawn(*shape, seed=3, dtype=dtype)
    right = run_elsewhere(model, x)
    if x.shape[1:] != parts.start.sizes:
        x = x.transpose(0, 3, 1, 2)
    found = network.loss(x.reshape(len(x), *network.input_shape))
    assert worst(found.reshape(right.shape), right) <= bound
    if steps is not None:
        assert [type(step).__name__ for step in network.steps] == steps.split()
    return network


C3 = ("N", 3, None, None)
IMAGE = (2, 3, 6, 6)


def images(nodes, arrays=None, **settings):
    return graph(nodes, arrays, **{"out": (None, None, None, None)} | settings)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("stride, size", [(1, (2, 2)), (2, (3, 3)), (2, (4, 3)), (3, (2, 5)), (2, (1, 1))])
def test_conv_pads_by_itself(auto_pad, stride, size):
    attributes = {"auto_pad": auto_pad, "strides": [stride, stride]}
    check(images([node("Conv", "x w b", **attributes)], {"w": drawn(4, 3, *size), "b": drawn(4)}), *IMAGE)


@pytest.mark.parametrize(
    "attributes, size, steps",
    [
        ({"pads": [1, 1, 1, 1]}, (3, 3), "Conv"),
        ({"pads": [0, 1, 2, 3]}, (3, 3), "Pad Conv"),
        ({"pads": [1, 0, 1, 0], "dilations": [2, 1]}, (3, 1), "Pad Conv"),
        ({"dilations": [1, 2]}, (1, 3), "Conv"),
        ({"strides": [4, 2]}, (6, 2), "Conv"),
        ({"strides": [2, 5]}, (2, 6), "Conv"),
    ],
)
def test_conv_whose_sides_differ(attributes, size, steps):
    check(images([node("Conv", "x w", **attributes)], {"w": drawn(4, 3, *size)}), *IMAGE, steps=steps)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 2]},
        {"kernel_shape": [3, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "pads": [0, 2, 1, 0]},
        {"kernel_shape": [6, 6]},
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [6, 2], "strides": [1, 2]},
    ],
)
def test_pooling(op, attributes):
    more = {"count_include_pad": 1} if op == "AveragePool" else {}
    check(images([node(op, "x", **attributes, **more)]), *IMAGE)


@pytest.mark.parametrize("size, stride, pads, length", [
    (3, 2, (0, 0), 6), (2, 2, (0, 0), 7), (2, 3, (1, 1), 7), (3, 2, (1, 0), 5), (3, 3, (1, 1), 7), (1, 2, (0, 0), 6),
])  # fmt: skip
def test_max_pool_whose_last_windows_hang_over(size, stride, pads, length):
    attributes = {"kernel_shape": [size, size], "strides": [stride, stride], "ceil_mode": 1}
    before, after = pads
    model = images([node("MaxPool", "x", pads=[before, before, after, after], **attributes)],
                   shape=("N", 3, length, length))  # fmt: skip
    check(model, 2, 3, length, length)


ERF = [node("Div", "x root", "a"), node("Erf", "a", "b"), node("Add", "b one", "c")]
NUMBERS = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5), "s": np.float32(1.702)}
GELUS = {
    "x (1 + erf) / 2": [node("Mul", "x c", "d"), node("Mul", "d half")],
    "x / 2 (1 + erf)": [node("Mul", "x half", "d"), node("Mul", "d c")],
    "(1 + erf) / 2 x": [node("Mul", "half c", "d"), node("Mul", "d x")],
}


@pytest.mark.parametrize("order", GELUS)
def test_gelu_in_every_order(order):
    arrays = {name: NUMBERS[name] for name in ("root", "one", "half")}
    check(images([*ERF, *GELUS[order]], arrays), *IMAGE, steps="GELU")


def test_silu_and_its_relatives():
    check(images([node("Sigmoid", "x", "s"), node("Mul", "s x")]), *IMAGE, steps="SiLU")
    quick = [node("Mul", "x s", "a"), node("Sigmoid", "a", "b"), node("Mul", "x b")]
    check(images(quick, {"s": NUMBERS["s"]}), *IMAGE, steps="Scale SiLU Scale")


def test_a_layer_norm_written_out():
    nodes = [
        node("ReduceMean", "x", "m", axes=[1, 2, 3]), node("Sub", "x m", "d"), node("Pow", "d two", "s"),
        node("ReduceMean", "s", "v", axes=[-3, -2, -1]), node("Add", "v eps", "e"), node("Sqrt", "e", "r"),
        node("Div", "d r", "n"), node("Mul", "n g", "k"), node("Add", "k b"),
    ]  # fmt: skip
    arrays = {"two": np.float32(2), "eps": np.float32(1e-5), "g": drawn(3, 6, 6), "b": drawn(3, 6, 6, seed=1)}
    network = check(images(nodes, arrays), *IMAGE, steps="LayerNorm")
    assert network.steps[0].eps == 1e-5


def test_a_group_norm_written_out():
    nodes = [
        node("Reshape", "x g", "a"), node("InstanceNormalization", "a one zero", "b", epsilon=1e-3),
        node("Shape", "x", "s"), node("Reshape", "b s", "c"), node("Mul", "c w", "d"), node("Add", "d v"),
    ]  # fmt: skip
    arrays = {
        "g": np.array([0, 2, -1]), "one": np.ones(2, np.float32), "zero": np.zeros(2, np.float32),
        "w": drawn(4, 1, 1), "v": drawn(4, 1, 1, seed=1),
    }  # fmt: skip
    check(images(nodes, arrays, shape=("N", 4, 5, 5)), 2, 4, 5, 5, steps="GroupNorm")


def test_biases_and_scales_find_their_layer():
    rows = [node("Flatten", "x", "f"), node("MatMul", "f w", "m"), node("Add", "b m")]
    check(graph(rows, {"w": drawn(108, 5), "b": drawn(5)}), *IMAGE, steps="Affine")
    conv = [node("Conv", "x w", "c"), node("Add", "c b")]
    check(images(conv, {"w": drawn(4, 3, 3, 3), "b": drawn(1, 4, 1, 1)}), *IMAGE, steps="Conv")
    by_channel = [node("Mul", "x s", "a"), node("Add", "a b")]
    network = check(images(by_channel, {"s": drawn(3, 1, 1), "b": drawn(3, 1, 1)}), *IMAGE, steps="Conv")
    assert network.steps[0].groups == 3


def test_a_bias_is_not_joined_with_what_others_read():
    nodes = [node("Conv", "x w", "c"), node("Add", "c b", "d"), node("Relu", "c", "e"), node("Add", "d e")]
    arrays = {"w": drawn(4, 3, 3, 3), "b": drawn(1, 4, 1, 1)}
    check(images(nodes, arrays), *IMAGE, steps="Conv Residual")


def test_numbers_alone():
    nodes = [node("Mul", "x a", "b"), node("Div", "b c", "d"), node("Neg", "d", "e"), node("Sub", "e a", "f"),
             node("Max", "z f", "g"), node("Clip", "g z", "h"), node("Add", "h h")]  # fmt: skip
    arrays = {"a": np.float32(3), "c": np.float32([7]), "z": np.float32(0)}
    check(images(nodes, arrays), *IMAGE, steps="Scale Conv ReLU ReLU Scale")


def test_the_mean_of_the_pixels_in_every_dress():
    for tail in (
        [node("GlobalAveragePool", "x", "p"), node("Flatten", "p")],
        [node("GlobalAveragePool", "x", "p"), node("Squeeze", "p axes")],
        [node("GlobalAveragePool", "x", "p"), node("Dropout", "p", "q"), node("Reshape", "q shape")],
        [node("ReduceMean", "x", "y", axes=[2, 3], keepdims=0)],
        [node("ReduceMean", "x", "p", axes=[-1, -2]), node("Flatten", "p")],
        [node("AveragePool", "x", "p", kernel_shape=[6, 6]), node("Flatten", "p")],
        [node("Transpose", "x", "p", perm=[0, 2, 3, 1]), node("ReduceMean", "p", "y", axes=[1, 2], keepdims=0)],
    ):
        arrays = {"axes": np.array([2, 3]), "shape": np.array([-1, 3])}
        used = {name: array for name, array in arrays.items() if any(name in n.input for n in tail)}
        network = check(graph(tail, used), *IMAGE)
        assert type(network.steps[0]).__name__ == "GlobalAvgPool"
    check(images([node("GlobalMaxPool", "x", "p"), node("Relu", "p")]), *IMAGE, steps="MaxPool ReLU")


def test_a_view_as_pytorch_traces_it():
    nodes = [
        node("Relu", "x", "r"), node("Shape", "r", "s"), node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n axes", "u"), node("Concat", "u rest", "t", axis=0), node("Reshape", "r t", "f"),
        node("Gemm", "f w b", transB=1, alpha=0.5, beta=2.0),
    ]  # fmt: skip
    arrays = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "w": drawn(5, 108), "b": drawn(5)}
    check(graph(nodes, arrays), *IMAGE, steps="ReLU Affine")


def test_channels_last_as_keras_writes_it():
    nodes = [
        node("Transpose", "x", "i", perm=[0, 3, 1, 2]), node("Conv", "i w", "c"), node("Relu", "c", "r"),
        node("Transpose", "r", "l", perm=[0, 2, 3, 1]), node("Reshape", "l shape", "f"), node("MatMul", "f m", "k"),
        node("Add", "k b"),
    ]  # fmt: skip
    arrays = {"w": drawn(4, 3, 3, 3), "shape": np.array([-1, 4 * 3 * 5]), "m": drawn(60, 7), "b": drawn(7)}
    model = graph(nodes, arrays, shape=("N", 5, 7, 3))
    network = check(model, 2, 5, 7, 3, steps="Conv ReLU Affine")
    assert network.input_shape == (3, 5, 7)
    assert imported(model)[1].notes == ["the file reads images (5, 7, 3), channels last, and the network (3, 5, 7)"]


def test_signals_are_images_of_one_row():
    nodes = [
        node("Conv", "x w b", "c", strides=[2], pads=[2, 1], dilations=[2]),
        node("MaxPool", "c", "p", kernel_shape=[2]), node("BatchNormalization", "p g g m v", "n"),
        node("GlobalAveragePool", "n", "q"), node("Flatten", "q"),
    ]  # fmt: skip
    arrays = {"w": drawn(4, 3, 3), "b": drawn(4), "g": drawn(4), "m": drawn(4), "v": drawn(4) ** 2 + 1}
    model = graph(nodes, arrays, shape=("N", 3, 20))
    network = check(model, 2, 3, 20)
    assert network.input_shape == (3, 1, 20)
    assert imported(model)[1].notes == ["signals (3, 20) are read as images of one row, (3, 1, 20)"]


def test_branches():
    conv = {"w": drawn(3, 3, 1, 1)}
    nested = [node("Conv", "x w", "a"), node("Add", "a x", "b"), node("Relu", "b", "c"), node("Add", "x c", "d"),
              node("Add", "d d", "e"), node("Sum", "e x x")]  # fmt: skip
    network = check(images(nested, conv), *IMAGE)
    inner = "Residual([Residual([Conv(3, size=1, bias=False)]), ReLU()])"
    assert repr(network.steps) == f"[Residual([Residual([{inner}, Scale(2.0)])])]"
    both = [node("Relu", "x", "a"), node("Neg", "x", "b"), node("Add", "a b", "c"), node("Identity", "c", "d"),
            node("Add", "d c")]  # fmt: skip
    check(images(both), *IMAGE, steps="Residual Scale")


def test_old_opsets():
    old = [node("Pad", "x", "p", pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.5), node("Slice", "p", "s", axes=[2, 3],
           starts=[0, 0], ends=[99, 99]), node("Clip", "s", "c", min=0.0), node("Dropout", "c", "d", ratio=0.25),
           node("ReduceMean", "d", "m", axes=[2, 3], keepdims=1), node("Squeeze", "m", "q", axes=[2, 3]),
           node("Softmax", "q")]  # fmt: skip
    network = check(graph(old, opset=9), *IMAGE, steps="Pad ReLU Dropout GlobalAvgPool Softmax")
    assert network.steps[2].keep == 0.75


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_norms(opset):
    batch = {"g": drawn(3), "b": drawn(3, seed=1), "m": drawn(3, seed=2), "v": drawn(3, seed=4) ** 2 + 0.5}
    model = images([node("BatchNormalization", "x g b m v", epsilon=1e-3, momentum=0.6)], batch, opset=opset)
    (step,) = check(model, *IMAGE, steps="BatchNorm").steps
    assert (step.momentum, step.eps) == (0.6, 1e-3)
    instance = {"g": drawn(3), "b": drawn(3, seed=1)}
    check(images([node("InstanceNormalization", "x g b")], instance, opset=opset), *IMAGE, steps="GroupNorm")
    if opset >= 21:
        group = {"g": drawn(4), "b": drawn(4, seed=1)}
        model = images([node("GroupNormalization", "x g b", num_groups=2)], group, opset=opset, shape=("N", 4, 5, 5))
        check(model, 2, 4, 5, 5, steps="GroupNorm")


def test_zeros_behind_the_channels_are_one_step_with_the_pixels_left_out():
    nodes = [node("Slice", "x s e a t", "p"), node("Pad", "p k")]
    arrays = {"s": np.array([0, 0]), "e": np.array([2**62, 6]), "a": np.array([2, -1]), "t": np.array([2, 2]),
              "k": np.array([0, 0, 0, 0, 0, 2, 0, 0])}  # fmt: skip
    check(images(nodes, arrays), *IMAGE, steps="Subsample")
    check(images([node("Pad", "x k")], {"k": arrays["k"]}), *IMAGE, steps="Subsample")


def test_doubles_stay_doubles():
    arrays = {"w": drawn(4, 3, 3, 3, dtype=np.float64)}
    model = images([node("Conv", "x w", "c"), node("Relu", "c")], arrays, elem_type=11)
    network, _ = imported(model)
    x = drawn(2, 3, 6, 6, dtype=np.float64)
    assert network.dtype == np.float64 and network.loss(x).dtype == np.float64
    np.testing.assert_array_equal(network.params["conv1.w"], arrays["w"])


def test_doubles_that_become_integers_are_refused():
    model = images([node("Cast", "x", to=3)], elem_type=11)
    with pytest.raises(OnnxImportError, match="it makes int8 of float64"):
        imported(model)


@pytest.mark.parametrize("elem_type", [10, 16])
def test_half_precision_becomes_float32(elem_type):
    arrays = {"w": drawn(4, 3, 1, 1)}
    model = images([node("Conv", "x w")], arrays, elem_type=elem_type)
    values = onnx.numpy_helper.to_array(model.graph.initializer[0])
    tensor = onnx.helper.make_tensor("w", elem_type, values.shape, values.ravel())
    for raw in (False, True):
        if raw:
            bits = np.asarray(tensor.int32_data, np.uint16)
            tensor.ClearField("int32_data")
            tensor.raw_data = bits.tobytes()
        model.graph.initializer[0].CopyFrom(tensor)
        network, parts = imported(model)
        np.testing.assert_allclose(network.params["conv1.w"], arrays["w"], rtol=1e-2)
        right = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        np.testing.assert_array_equal(network.params["conv1.w"], right)
        assert "became float32" in parts.notes[0]


W = {"w": drawn(4, 3, 3, 3)}
REFUSED = {
    "an operator that is not there": (
        [node("ConvTranspose", "x w")], {"w": drawn(3, 4, 3, 3)},
        r"node 0 \(ConvTranspose\): there is no such step here; there are Add, .*Conv, ",
    ),
    "strides that differ": ([node("Conv", "x w", strides=[1, 2])], W, r"\(Conv\): strides is \[1, 2\]; the same"),
    "strides that differ, with as many stops": (
        [node("MaxPool", "x", kernel_shape=[2, 2], strides=[4, 3])], {}, r"strides is \[4, 3\]"),
    "dilations that differ": ([node("Conv", "x w", dilations=[1, 2])], W, "dilations is"),
    "filters that depend on the input": ([node("Conv", "x x")], {}, "input 1 depends on the graph's input"),
    "filters of other images": ([node("Conv", "x w")], {"w": drawn(4, 2, 3, 3)}, "3 channels come in"),
    "groups that do not divide": ([node("Conv", "x w", group=3)], {"w": drawn(4, 1, 3, 3)}, "groups is 3; it must div"),
    "filters larger than the image": ([node("Conv", "x w")], {"w": drawn(4, 3, 9, 9)}, "more than the padded image"),
    "pads below zero": ([node("Conv", "x w", pads=[-1, 0, 0, 0])], W, "pads must not be below zero"),
    "pads beside auto_pad": ([node("Conv", "x w", pads=[1] * 4, auto_pad="VALID")], W, "beside auto_pad"),
    "auto_pad of another word": ([node("Conv", "x w", auto_pad="FULL")], W, "auto_pad is 'FULL'"),
    "a huge stride": ([node("Conv", "x w", strides=[2**40] * 2)], W, "strides is"),
    "a pooling with dilation": ([node("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2])], {}, "dilations are"),
    "a pooling of nothing but padding": (
        [node("MaxPool", "x", kernel_shape=[2, 2], pads=[2, 0, 0, 0])], {}, "nothing but padding"),
    "an average without its padding": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1] * 4)], {}, "count_include_pad=1"),
    "an average that hangs over": (
        [node("AveragePool", "x", kernel_shape=[4, 4], strides=[3, 3], ceil_mode=1)], {}, "hang over the edge"),
    "indices": (
        [node("MaxPool", "x", "a i", kernel_shape=[2, 2]), node("Cast", "i", to=1)], {},
        "its output 'i' is read; only its first"),
    "batch norm in training": (
        [node("BatchNormalization", "x g g g v", "y a b", training_mode=1)],
        {"g": drawn(3), "v": np.ones(3, np.float32)}, "normalises by the batch"),
    "a negative variance": (
        [node("BatchNormalization", "x g g g v")], {"g": drawn(3), "v": np.float32([1, -1, 1])},
        r"the variance holds -1\.0"),
    "a variance of zero without eps": (
        [node("BatchNormalization", "x g g g v", epsilon=0.0)], {"g": drawn(3), "v": np.zeros(3, np.float32)},
        "above zero"),
    "statistics of another size": (
        [node("BatchNormalization", "x g g g g")], {"g": np.ones(4, np.float32)}, r"must have the shape \(3,\)"),
    "a weight that is NaN": ([node("Conv", "x w")], {"w": drawn(4, 3, 3, 3) * np.nan}, "not finite"),
    "a weight that is infinite": (
        [node("Conv", "x w")], {"w": np.full((4, 3, 3, 3), -np.inf, np.float32)}, "not finite"),
    "integer weights": ([node("Conv", "x w")], {"w": np.ones((4, 3, 3, 3), np.int64)}, "has int64; floating"),
    "the tanh GELU": ([node("Gelu", "x", approximate="tanh")], {}, "approximate is 'tanh'"),
    "a sigmoid alone": ([node("Sigmoid", "x")], {}, r"node 0 \(Sigmoid\): available only as a part of x \* Sigmoid"),
    "a sigmoid read by another": (
        [node("Sigmoid", "x", "s"), node("Relu", "s")], {}, r"part of x \* Sigmoid\(x\); node 1 \(Relu\) reads it"),
    "a gate from elsewhere": (
        [node("Relu", "x", "r"), node("Sigmoid", "r", "s"), node("Mul", "x s")], {}, "the Sigmoid of another"),
    "a product of branches": ([node("Relu", "x", "r"), node("Mul", "x r")], {}, "multiplies two branches"),
    "a difference of branches": ([node("Relu", "x", "r"), node("Sub", "x r")], {}, "takes one branch from another"),
    "a quotient of branches": ([node("Relu", "x", "r"), node("Div", "x r")], {}, "divides one branch by another"),
    "a constant less the input": ([node("Sub", "c x")], {"c": np.float32(1)}, "only x - constant"),
    "a constant over the input": ([node("Div", "c x")], {"c": np.float32(1)}, "only x / constant"),
    "a division by zero": ([node("Div", "x c")], {"c": np.float32(0)}, "by zero"),
    "a constant for each pixel": ([node("Add", "x c")], {"c": drawn(6, 6)}, "one number a channel"),
    "a square": ([node("Mul", "x x")], {}, "squares are available only"),
    "a softmax over pixels": ([node("Softmax", "x")], {}, "axis is -1"),
    "a log softmax inside": (
        [node("LogSoftmax", "x", "l", axis=1), node("Relu", "l")], {}, "a network's end"),
    "a flattening of the batch": ([node("Flatten", "x", axis=0)], {}, "axis is 0"),
    "a shape for one batch only": ([node("Reshape", "x s")], {"s": np.array([2, 108])}, "the batch must stay"),
    "another shape of a sample": ([node("Reshape", "x s")], {"s": np.array([0, 2, 54])}, "as one row"),
    "a shape that does not fit": ([node("Reshape", "x s")], {"s": np.array([0, 7])}, "does not fit"),
    "computing with the batch's size": (
        [node("Shape", "x", "s"), node("Mul", "s s", "t"), node("Reshape", "x t")], {},
        "the batch's size, which is open"),
    "a transposition": ([node("Transpose", "x", perm=[0, 1, 3, 2])], {}, r"perm is \[0, 1, 3, 2\]"),
    "a crop": (
        [node("Slice", "x s e a")], {"s": np.array([1]), "e": np.array([5]), "a": np.array([2])}, "it takes 1:5:1"),
    "samples taken out": (
        [node("Slice", "x s e a")], {"s": np.array([0]), "e": np.array([5]), "a": np.array([0])}, "out of the batch"),
    "padding that reflects": (
        [node("Pad", "x p", mode="reflect")], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}, "mode is 'reflect'"),
    "padding of the batch": ([node("Pad", "x p")], {"p": np.array([1, 0, 0, 0, 0, 0, 0, 0])}, "around images"),
    "channels in front": ([node("Pad", "x p")], {"p": np.array([0, 1, 0, 0, 0, 0, 0, 0])}, "behind the channels"),
    "dropout in training": (
        [node("Dropout", "x r t")], {"r": np.float32(0.5), "t": np.array(True)}, "drops numbers at random"),
    "images times a matrix": ([node("MatMul", "x w")], {"w": drawn(6, 6)}, "rows"),
    "a matrix times the input": ([node("MatMul", "w x")], {"w": drawn(6, 6)}, "its first input is a constant"),
    "ReLU6": ([node("Clip", "x a b")], {"a": np.float32(0), "b": np.float32(6)}, "from 0 to 6"),
    "branches of other shapes": (
        [node("Conv", "x w", "c"), node("Add", "c x")], W, r"adds \(4, 4, 4\) and \(3, 6, 6\)"),
    "branches that share": (
        [node("Conv", "x w", "a"), node("Relu", "a", "b"), node("Neg", "x", "c"), node("Add", "a c", "d"),
         node("Add", "b d")], {"w": drawn(3, 3, 1, 1)}, "two branches that are not added right away share it"),
    "integers alone": ([node("Cast", "x", "i", to=7), node("Cast", "i", to=1)], {}, "it makes int64"),
    "a constant that is not computed": (
        [node("Exp", "c", "e"), node("Add", "x e")], {"c": np.float32(1)}, "it is not computed here"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_available_is_named(what):
    nodes, arrays, message = REFUSED[what]
    opset = 20 if "GELU" in what else 17
    with pytest.raises(OnnxImportError, match=message) as caught:
        imported(images(nodes, arrays, opset=opset))
    assert str(caught.value).startswith("case: node ")


def test_an_unknown_domain_is_named(tmp_path):
    model = images([node("Gelu", "x")])
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(OnnxImportError, match=r"m\.onnx: node 0 \(com\.example\.Gelu\): there is no such step"):
        import_onnx(path)
