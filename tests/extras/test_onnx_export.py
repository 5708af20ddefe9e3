"""Networks as ONNX files: what ONNX Runtime makes of them beside what we make."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from pairs import waves
from pellucid.extras import onnx_export as exporting
from pellucid.extras import onnx_nodes
from pellucid.extras.onnx_export import export_onnx
from pellucid.models import (
    GELU,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    FullyConnectedNet,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    Pad,
    ReLU,
    Residual,
    Scale,
    SiLU,
    Softmax,
    Step,
    Subsample,
    ThreeLayerConvNet,
    TwoLayerNet,
    airbench,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)
from pellucid.shipping import Model, Preprocessing
from random_networks import fill, images_for, networks, worst

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[onnx]'")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[onnx]'")

NEWEST = onnx.defs.onnx_opset_version()
BOUND = 1e-5
"""Of the largest score: float32 sums in two orders."""
BOUND_64 = 1e-6
"""eps is a float32 in ONNX, and a norm's sums may be."""


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(path, X):
    """{output: array} for a batch."""
    runs = session(path)
    outputs = [output.name for output in runs.get_outputs()]
    return dict(zip(outputs, runs.run(outputs, {runs.get_inputs()[0].name: X}), strict=True))


def made(steps, shape=(4, 6, 7), **settings):
    """A network of these steps that ends in scores, with nothing at its start but the weights."""
    return fill(Network(steps, shape, **{"rng": 7} | settings))


def check_alike(net, path, **settings):
    """Export the network and compare it, on batches of two sizes."""
    exported = export_onnx(net, path, **settings)
    assert exported.largest_difference <= 1e-4
    for N in (1, 3):
        X = images_for(net, N)
        scores = run(path, X)["scores"]
        assert scores.dtype == X.dtype
        assert worst(scores, net.loss(X)) <= BOUND
    return exported


STEPS = {
    "conv": [Conv(5, 3)],
    "conv, every setting": [Conv(6, (3, 2), stride=2, pad=2, dilation=2, groups=2, bias=False)],
    "depthwise": [Conv(4, 3, pad=1, groups=4)],
    "affine of images": [Affine(7), Affine(5, bias=False)],
    "relu": [ReLU()],
    "gelu": [GELU()],
    "silu": [SiLU()],
    "softmax": [Softmax()],
    "max pool": [MaxPool(2)],
    "max pool, every setting": [MaxPool((3, 2), stride=1)],
    "max pool that leaves pixels out": [MaxPool(2, stride=3)],
    "average pool": [AvgPool(3, stride=2)],
    "global max pool": [GlobalMaxPool()],
    "global average pool": [GlobalAvgPool()],
    "batch norm": [BatchNorm()],
    "batch norm, every setting": [BatchNorm(momentum=0.6, eps=1e-3, scale=False, shift=False)],
    "batch norm without scale": [BatchNorm(scale=False, eps=1e-12)],
    "batch norm without shift": [BatchNorm(shift=False)],
    "batch norm of rows": [Affine(6), BatchNorm()],
    "layer norm": [LayerNorm()],
    "layer norm of rows": [Affine(6), LayerNorm(eps=1e-3)],
    "group norm": [GroupNorm(2)],
    "group norm, one group": [GroupNorm(1, eps=1e-2)],
    "group norm of each channel": [GroupNorm(4)],
    "dropout": [Dropout(0.6)],
    "flatten": [Flatten(), Flatten()],
    "scale": [Scale(-0.3)],
    "subsample": [Subsample(6, 2)],
    "subsample that only adds": [Subsample(6, 1)],
    "subsample that only leaves out": [Subsample(4, 3)],
    "pad": [Pad(1, 2, 0, 3, value=-0.5)],
    "pad, max pool": [Pad(1, 0, 1, 1, value=-np.inf), MaxPool(3, stride=2)],
    "pad with zeros, max pool": [Scale(-1), Pad(1, 1, 1, 1), MaxPool(2)],
    "residual": [Residual([Conv(4, 3, pad=1, bias=False), BatchNorm(), ReLU()])],
    "residual, projecting": [Residual([Conv(6, 3, stride=2, pad=1)], shortcut=[Conv(6, 1, stride=2), BatchNorm()])],
    "residual with a subsampled shortcut": [Residual([Conv(6, 3, stride=2, pad=1)], shortcut=[Subsample(6, 2)])],
    "residual in a residual": [Residual([Conv(4, 3, pad=1), Residual([ReLU()], shortcut=[Residual([GELU()])])])],
    "residual of nothing": [Residual([Dropout(1)])],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_every_step_gives_the_same_scores(steps, tmp_path):
    check_alike(made([*steps, Affine(3, init="lecun")]), tmp_path / "net.onnx")


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_every_step_is_there(steps, tmp_path):
    """As the only one: nothing behind it makes it small."""
    net = made(steps, loss_function=lambda scores, y: (0.0, scores))
    exported = check_alike(net, tmp_path / "net.onnx")
    (output, *_) = onnx.load(tmp_path / "net.onnx").graph.output
    assert [d.dim_param or d.dim_value for d in output.type.tensor_type.shape.dim] == ["N", *net.output_shape]
    assert ("probabilities" in exported.outputs) == (len(net.output_shape) == 1)


READY_MADE = {
    "tutorial": (tutorial(3, 5, 6, 5, weight_scale=0.1), (3, 8, 8)),
    "vgg11": (vgg(11, (2, 3, 4, 5, 6), 5), (3, 16, 16)),
    "resnet9": (resnet9(4, 5), (3, 16, 16)),
    "resnet20": (resnet20(2, 3, 5), (3, 9, 8)),
    "resnet20 with projections": (resnet20(2, 3, 5, shortcut="projection"), (3, 9, 8)),
    "airbench": (airbench((4, 5, 6), 5), (3, 18, 18)),
    "airbench, three convolutions": (airbench((4, 5), 5, convolutions=3), (3, 18, 18)),
    "airbench with SiLU": (airbench((4, 5), 5, activation=SiLU), (3, 10, 11)),
}


@pytest.mark.parametrize(("steps", "shape"), READY_MADE.values(), ids=READY_MADE)
def test_ready_made_networks_give_the_same_scores(steps, shape, tmp_path):
    check_alike(made(steps, shape), tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "model",
    [
        ThreeLayerConvNet((3, 8, 8), num_filters=4, filter_size=3, hidden_dim=6, rng=0, weight_scale=0.1),
        TwoLayerNet(12, 6, 4, rng=0, weight_scale=0.1, dtype=np.float32),
        FullyConnectedNet([6, 5], 12, 4, dropout_keep_ratio=0.5, normalization="layernorm", rng=0, dtype=np.float32),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_courses_networks(model, tmp_path):
    export_onnx(model, tmp_path / "net.onnx")
    shape = (3, 8, 8) if isinstance(model, ThreeLayerConvNet) else (12,)
    X = waves(3, *shape).astype(np.float32)
    scores = model.loss(X)
    assert worst(run(tmp_path / "net.onnx", X)["scores"], scores) <= BOUND


@settings(max_examples=300, deadline=None)
@given(networks(dtypes=(np.float32,)))
def test_random_networks_give_the_same_scores(tmp_path_factory, net):
    check_alike(net, tmp_path_factory.getbasetemp() / "random.onnx")


@settings(max_examples=100, deadline=None)
@given(networks(dtypes=(np.float64,)))
def test_random_float64_networks_give_the_same_scores(tmp_path_factory, net):
    path = tmp_path_factory.getbasetemp() / "random64.onnx"
    exported = export_onnx(net, path)
    model = onnx.load(path)
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert kinds <= {onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64}
    assert exported.largest_difference <= BOUND_64 * max(0.1, 10 * np.abs(net.loss(images_for(net, 20))).max())


@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("opset", range(13, NEWEST + 1))
@given(net=networks(dtypes=(np.float32,)))
def test_random_networks_in_every_opset(opset, tmp_path_factory, net):
    assert check_alike(net, tmp_path_factory.getbasetemp() / "random.onnx", opset=opset).opset == opset


EVERYTHING = [
    Conv(6, 3, pad=1, bias=False),
    *(BatchNorm(), GELU(), GroupNorm(2), SiLU(), LayerNorm(), Pad(1, 0, 0, 1), MaxPool(2, stride=1), Dropout(0.5)),
    Residual([Conv(8, 3, stride=2, pad=1), ReLU()], shortcut=[Subsample(8, 2)]),
    *(AvgPool(2), Affine(5), BatchNorm(), LayerNorm(), Scale(2), Flatten(), Affine(3), Softmax()),
]


@pytest.mark.parametrize("opset", range(13, NEWEST + 1))
def test_every_opset_has_all_steps(opset, tmp_path):
    exported = check_alike(made(EVERYTHING, (3, 9, 8)), tmp_path / "net.onnx", opset=opset)
    model = onnx.load(tmp_path / "net.onnx")
    assert exported.opset == opset == model.opset_import[0].version
    assert model.ir_version == onnx.helper.find_min_ir_version_for(model.opset_import)
    ops = {node.op_type for node in model.graph.node}
    assert ("LayerNormalization" in ops) == (opset >= 17)
    assert ("Gelu" in ops) == (opset >= 20)
    assert ("GroupNormalization" in ops) == (opset >= 21)


def test_the_file_that_is_written_by_default(tmp_path):
    net = made(
        [Conv(4, 3, pad=1, name="stem"), BatchNorm(momentum=0.6), Residual([Conv(4, 1)]), Dropout(0.5), Affine(3)]
    )
    exported = export_onnx(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert (model.opset_import[0].version, model.ir_version, model.producer_name) == (17, 8, "pellucid")
    assert len(model.opset_import) == 1
    ops = [(node.op_type, list(node.output)) for node in model.graph.node]
    assert ops == [
        ("Conv", ["stem"]),
        ("BatchNormalization", ["batchnorm1"]),
        ("Conv", ["residual1.conv1"]),
        ("Add", ["residual1"]),
        ("Flatten", ["affine1.rows"]),
        ("Gemm", ["scores"]),
        ("Softmax", ["probabilities"]),
    ]
    written = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    (statistics,) = net.bn_params
    own = net.params | {f"batchnorm1.{key}": statistics[key] for key in ("running_mean", "running_var")}
    assert written.keys() == own.keys()
    for name, array in own.items():
        np.testing.assert_array_equal(written[name], array)
    momentum = {a.name: a.f for a in model.graph.node[1].attribute}["momentum"]
    assert momentum == pytest.approx(0.6)  # counted as ours is
    (given_input,) = model.graph.input
    assert given_input.name == exported.input == "images"
    assert [d.dim_param or d.dim_value for d in given_input.type.tensor_type.shape.dim] == ["N", 4, 6, 7]
    assert not model.metadata_props
    assert exported.bytes == (tmp_path / "net.onnx").stat().st_size
    assert exported.outputs == ("scores", "probabilities")
    assert exported.images == 8
    assert exported.compared_with == f"ONNX Runtime {ort.__version__}"
    assert str(exported).startswith(f"{tmp_path / 'net.onnx'}: {exported.bytes:,} bytes, opset 17, images -> scores")
    assert "on 8 samples, largest difference" in str(exported)


def test_probabilities(tmp_path):
    path = tmp_path / "net.onnx"
    net = made([Affine(4)])
    X = images_for(net, 5)
    found = run(path, X) if export_onnx(net, path) else None
    powers = np.exp(found["scores"].astype(np.float64))
    np.testing.assert_allclose(found["probabilities"], powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
    assert list(run(path, X)) == ["scores", "probabilities"]
    assert export_onnx(net, path, probabilities=False).outputs == ("scores",)
    assert list(run(path, X)) == ["scores"]
    assert export_onnx(made([Affine(1)]), path).outputs == ("scores",)  # nothing to be shared out
    export_onnx(made([Affine(4), Softmax()]), path)
    found = run(path, X)
    np.testing.assert_array_equal(found["probabilities"], found["scores"])


def digits(**settings):
    pixels = np.random.default_rng(3).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    return Preprocessing(size=(6, 7), **settings), pixels


MEAN_IMAGE = np.random.default_rng(4).uniform(0, 255, (3, 6, 7))
PREPROCESSINGS = {
    "as it is": {},
    "a number": {"mean": 120.7},
    "a mean for each channel": {"mean": [125.3, 122.95, 113.87], "scale": [62.99, 62.09, 66.7]},
    "a mean image": {"mean": MEAN_IMAGE, "scale": 64.3},
    "a scale": {"scale": 255},
}


@pytest.mark.parametrize("settings", PREPROCESSINGS.values(), ids=PREPROCESSINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_become_the_same_floats_bit_for_bit(settings, dtype, tmp_path):
    preprocessing, pixels = digits(**settings)
    net = Network([Flatten()], (3, 6, 7), dtype=dtype, rng=0)
    exported = export_onnx(net, tmp_path / "net.onnx", preprocessing=preprocessing, pixels=True)
    assert exported.input == "pixels"
    (given_input,) = session(tmp_path / "net.onnx").get_inputs()
    assert (given_input.name, given_input.type, given_input.shape) == ("pixels", "tensor(uint8)", ["N", 6, 7, 3])
    scores = run(tmp_path / "net.onnx", pixels)["scores"]
    assert scores.dtype == dtype
    np.testing.assert_array_equal(scores, preprocessing.floats(pixels).reshape(5, -1))


def test_metadata_say_what_was_used(tmp_path):
    path = tmp_path / "net.onnx"
    preprocessing, pixels = digits(mean=MEAN_IMAGE, scale=[1.5, 0.1, 3], fit="pad")
    net = made([Conv(4, 3), Affine(3)], (3, 6, 7))
    model = Model(net, ["Katze", "犬", 'a "bird"'], preprocessing)
    export_onnx(model, path)
    metadata = session(path).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == ["Katze", "犬", 'a "bird"']
    again = Preprocessing(**json.loads(metadata["preprocessing"]))
    assert (again.size, again.channels, again.fit) == ((6, 7), 3, "pad")
    np.testing.assert_array_equal(again.floats(pixels), preprocessing.floats(pixels))
    export_onnx(model, path, classes=["x", "y", "z"], pixels=True)
    assert json.loads(session(path).get_modelmeta().custom_metadata_map["classes"]) == ["x", "y", "z"]
    export_onnx(net, path)
    assert session(path).get_modelmeta().custom_metadata_map == {}


def test_images_that_are_given_are_compared_too(tmp_path):
    path = tmp_path / "net.onnx"
    preprocessing, pixels = digits(mean=128, scale=64)
    net = made([Conv(4, 3), Affine(3)], (3, 6, 7))
    floats = preprocessing.floats(pixels)
    assert export_onnx(net, path, images=floats.astype(np.float64)).images == 13
    assert export_onnx(net, path, images=np.concatenate([floats] * 30)).images == 158
    assert export_onnx(net, path, images=pixels, preprocessing=preprocessing).images == 13
    assert export_onnx(net, path, images=list(pixels), preprocessing=preprocessing, pixels=True).images == 13
    with pytest.raises(ValueError, match="the network's own scores hold nan"):
        export_onnx(net, path, images=np.full((1, 3, 6, 7), np.nan))


def test_names_of_steps_may_be_those_of_inputs_and_outputs(tmp_path):
    path = tmp_path / "net.onnx"
    names = ("images", "scores", "probabilities", "N")
    check_alike(made([*(Residual([GELU(name=name)], name=name) for name in names), Affine(3, name="pixels")]), path)
    check_alike(made([Affine(3, name="images"), ReLU(name="scores"), Dropout(0.5, name="probabilities")]), path)


def test_neither_the_network_nor_its_memory_layout_matter(tmp_path):
    net = made([Conv(4, 3), BatchNorm(), Affine(3)])
    net.params["conv1.w"] = np.asfortranarray(net.params["conv1.w"])
    net.params["affine1.w"] = net.params["affine1.w"][:, ::-1]
    for array in net.params.values():
        array.setflags(write=False)
    check_alike(net, tmp_path / "net.onnx")


def test_a_network_that_runs_step_by_step_gives_the_same_file(tmp_path):
    for fuse in (True, False):
        export_onnx(made(EVERYTHING, (3, 9, 8), fuse=fuse), tmp_path / f"{fuse}.onnx")
    assert (tmp_path / "True.onnx").read_bytes() == (tmp_path / "False.onnx").read_bytes()


def test_doubles_are_compared_by_onnx_itself_where_its_runtime_cannot(tmp_path):
    path = tmp_path / "net.onnx"
    exported = export_onnx(made([Conv(4, 3), GroupNorm(2), Affine(3)], dtype=np.float64), path, opset=NEWEST)
    assert exported.compared_with == f"the reference evaluator of onnx {onnx.__version__}"
    assert exported.largest_difference < 1e-7
    exported = export_onnx(made([Affine(4), BatchNorm(), Affine(3)], dtype=np.float64), path)
    assert exported.compared_with == f"ONNX Runtime {ort.__version__}"


def test_without_comparison(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    exported = export_onnx(made([Affine(3)]), tmp_path / "net.onnx", verify=False)
    assert (exported.largest_difference, exported.images) == (None, 0)
    assert str(exported).endswith("not compared")
    assert (tmp_path / "net.onnx").stat().st_size == exported.bytes


class Swish(SiLU):
    """Computes something else than its parent does."""


class Own(Step):
    def forward(self, x, params, mode):
        return x, None


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [Own(), Affine(3)],
            r"export_onnx: step 'own1' is a Own, .* pellucid.models \(Conv, .*\), or export .* without",
        ),
        ([Affine(3), Own(name="last")], "step 'last' is a Own"),
        ([Residual([Conv(4, 1), Residual([Swish()])]), Affine(3)], "step 'residual1.residual1.swish1' is a Swish"),
        ([Residual([ReLU()], shortcut=[Own()]), Affine(3)], "step 'residual1.shortcut.own1' is a Own"),
    ],
)
def test_a_step_that_onnx_does_not_know_is_named(steps, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_onnx(made(steps), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def slightly_wrong(g, place, name, x):
    return g.node("LeakyRelu", [x], name, alpha=0.01)


def unknown_to_onnx(g, place, name, x):
    return g.node("Reluu", [x], name)


def in_one_row(g, place, name, x):
    """Right for one sample alone."""
    return g.node("Flatten", [g.node("Relu", [x], f"{name}.relu")], name, axis=0)


def not_in_this_opset(g, place, name, x):
    return g.node("Gelu", [x], name)


@pytest.mark.parametrize(
    ("writer", "message"),
    [
        (slightly_wrong, r"ONNX Runtime .* disagree in \d of \d scores: \(\d, \d\) is .* Nothing was written"),
        (unknown_to_onnx, r"ONNX's checker does not pass the file: .*Reluu.* Nothing was written"),
        (not_in_this_opset, "ONNX's checker does not pass the file"),
        (in_one_row, r"gives scores of shape \(1, 6\), the network \(2, 3\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_wrong_is_not_written(writer, message, tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"before")
    monkeypatch.setitem(onnx_nodes.WRITERS, ReLU, writer)
    with pytest.raises(ValueError, match=message):
        export_onnx(made([Affine(3), ReLU()]), path)
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    assert path.read_bytes() == b"before"


def test_a_file_that_breaks_off_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(onnx_nodes.WRITERS, ReLU, in_one_row)
    with pytest.raises(ValueError, match=r"ONNX Runtime .* cannot run the file: .* Nothing was written"):
        export_onnx(made([Affine(3), ReLU(), Affine(3)]), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_that_has_diverged_is_not_written(tmp_path):
    net = made([Conv(4, 3), Affine(3)])
    net.params["conv1.w"][0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"the network's own scores hold nan, .* parameters"):
        export_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_what_the_runtime_cannot_run_is_not_written(tmp_path, monkeypatch):
    def refuses(*arguments, **settings):
        raise RuntimeError("opset 99 is under development")

    monkeypatch.setattr(ort, "InferenceSession", refuses)
    with pytest.raises(ValueError, match=r"ONNX Runtime .* cannot run the file: opset 99 .* such as 17"):
        export_onnx(made([Affine(3)]), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_more_than_a_file_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MOST_BYTES", 2000)
    with pytest.raises(ValueError, match="has 2,028 bytes of parameters, but an ONNX file holds at most 2,000"):
        export_onnx(made([Affine(3)]), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written(tmp_path):
    net = made([Affine(3)])
    with pytest.raises(OSError, match=r"the folder .* is missing: make it first"):
        export_onnx(net, tmp_path / "none" / "net.onnx")
    with pytest.raises(OSError, match="it is a folder: name a file in it"):
        export_onnx(net, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_packages_it_says_what_to_install(missing, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"export_onnx: it needs the package {missing} .*'pellucid\[onnx\]'"):
        export_onnx(made([Affine(3)]), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


NET, NET_64 = made([Affine(3)], (3, 6, 7)), made([Affine(3)], (3, 6, 7), dtype=np.float64)
SIZED = Preprocessing(size=(6, 7))


@pytest.mark.parametrize(
    ("net", "settings", "error", "message"),
    [
        (np.zeros(3), {}, TypeError, "as_network: model is a ndarray"),
        (NET, {"path": None}, TypeError, "export_onnx: path is a NoneType"),
        (NET, {"opset": 12}, ValueError, f"opset is 12; for a float32 network it must be from 13 to {NEWEST}"),
        (NET_64, {"opset": 13}, ValueError, f"opset is 13; for a float64 network it must be from 14 to {NEWEST}"),
        (NET, {"opset": NEWEST + 1}, ValueError, f"opset is {NEWEST + 1}; .* the newest that onnx"),
        (NET, {"opset": "17"}, TypeError, "opset is '17', a str"),
        (NET, {"classes": "abc"}, TypeError, "classes is 'abc'; it must be a list of names"),
        (NET, {"classes": [1, 2, 3]}, TypeError, r"classes is \[1, 2, 3\]"),
        (NET, {"classes": ["a", "b"]}, ValueError, r"classes has 2 names, .* shape \(3,\)"),
        (NET, {"pixels": True}, ValueError, "pixels is True; then preprocessing"),
        (NET, {"pixels": 1}, TypeError, "pixels is 1; it must be True or False"),
        (NET, {"verify": None}, TypeError, "verify is None"),
        (NET, {"probabilities": "yes"}, TypeError, "probabilities is 'yes'"),
        (NET, {"preprocessing": {"size": (6, 7)}}, TypeError, "preprocessing is a dict; it must be a Preprocessing"),
        (
            NET,
            {"preprocessing": Preprocessing(size=(7, 6))},
            ValueError,
            r"makes images \(3, 7, 6\) .* reads \(3, 6, 7\)",
        ),
        (NET, {"images": waves(2, 3, 6, 6)}, ValueError, r"images has shape \(2, 3, 6, 6\); it must be \(N, 3, 6, 7\)"),
        (NET, {"images": "cat.png"}, TypeError, "images has type"),
        (
            NET,
            {"images": "none.png", "preprocessing": SIZED},
            FileNotFoundError,
            "export_onnx: none.png does not exist",
        ),
        (
            NET,
            {"images": waves(2, 3, 6, 7), "preprocessing": SIZED, "pixels": True},
            TypeError,
            "images is an array of float64; with pixels=True it must be pictures or uint8",
        ),
    ],
)
def test_bad_arguments(net, settings, error, message, tmp_path):
    with pytest.raises(error, match=message):
        export_onnx(net, **{"path": tmp_path / "net.onnx"} | settings)
    assert not list(tmp_path.iterdir())
