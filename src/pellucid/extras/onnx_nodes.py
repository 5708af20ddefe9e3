"""A network's steps as ONNX nodes.

Every writer gets the name of the value that comes in and returns the name of the one that goes out. Nodes and the
values they make have the step's full name ("residual1.conv1", or "gelu1.erf" inside of one step), initializers the
names of our parameters and running statistics ("residual1.conv1.w"), so that a file can be read beside ``summary()``.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pellucid import models
from pellucid.models import Network, Step
from pellucid.models.chain import Place
from pellucid.models.step import STATISTICS

LAYER_NORM_SINCE, GELU_SINCE, GROUP_NORM_SINCE = 17, 20, 21
"""The opsets that brought the operators; before, they are written as what they compute."""
Writer = Callable[["Graph", Any, str, str], str]
"""(graph, place of the step, its full name, the value that comes in) -> the value that goes out."""
END = np.iinfo(np.int64).max
"""Slice's word for the end of an axis."""


def package(where: str, name: str) -> Any:
    """The third-party package, imported when it is needed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{where}: it needs the package {name} ({error}); install it with pip install 'pellucid[onnx]'"
        ) from error


def in_a_line(error: Exception) -> str:
    """What an error of ONNX says, which is often several lines."""
    return " ".join(str(error).split())


class Graph:
    """Nodes and initializers, as they are collected.

    Parameters
    ----------
    onnx : module
    opset : int
    dtype : float32 or float64
        Of all numbers in the graph.
    arrays : mapping
        Parameters and running statistics by name.
    reserved : iterable of str
        Names of inputs and outputs, which no value inside may have.
    """

    def __init__(
        self, onnx: Any, opset: int, dtype: np.dtype, arrays: Mapping[str, np.ndarray], reserved: Iterable[str]
    ) -> None:
        self.onnx, self.opset, self.dtype, self.arrays = onnx, opset, dtype, arrays
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._taken = {*reserved, *arrays}

    @property
    def type(self) -> int:
        """ONNX's number for the type."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(self.dtype)

    def node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node. Returns the name of its one output: the one given, with _ behind it where that is taken."""
        name = self._free(name)
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: Any, dtype: Any = None) -> str:
        """Add an initializer that is no parameter, of the graph's type unless another is asked for."""
        name = self._free(name)
        self._add(name, np.asarray(value, self.dtype if dtype is None else dtype))
        return name

    def parameter(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Add a parameter or running statistic as an initializer, reshaped where asked."""
        array = np.asarray(self.arrays[name], self.dtype)
        self._add(name, array if shape is None else array.reshape(shape))
        return name

    def rename_last(self, name: str, value: str) -> None:
        """Let the value, which no node has read yet, have the name of an output."""
        if self.nodes and list(self.nodes[-1].output) == [value]:
            self.nodes[-1].output[0] = name
        else:  # what comes in goes out: a network of nothing but dropout
            self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name], name=name))

    def _add(self, name: str, array: np.ndarray) -> None:
        little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        self.initializers.append(self.onnx.numpy_helper.from_array(little_endian, name))

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def check_steps(where: str, network: Network) -> None:
    """Every step is one that can be written. A class that derives from ours may compute something else."""
    for _, prefix, place in network.places():
        if type(place.step) not in WRITERS:
            kind = type(place.step).__name__
            raise ValueError(
                f"{where}: step {prefix + place.name!r} is a {kind}, which ONNX does not know and this package cannot "
                f"translate; write it with steps of pellucid.models ({', '.join(step.__name__ for step in WRITERS)}), "
                f"or export the network without it. Nothing was written"
            )


def write_network(g: Graph, network: Network, x: str) -> str:
    """Write all steps, from the value x on; returns the name of the scores."""
    return _write_steps(g, network.chain.places, "", x)


def write_probabilities(g: Graph, network: Network, scores: str, name: str) -> None:
    """Write the output of this name."""
    op, attributes = ("Identity", {}) if gives_probabilities(network) else ("Softmax", {"axis": 1})
    g.nodes.append(g.onnx.helper.make_node(op, [scores], [name], name=name, **attributes))


def gives_probabilities(network: Network) -> bool:
    """Whether its scores are probabilities already."""
    return type(network.steps[-1]) is models.Softmax


def write_preprocessing(g: Graph, x: str, mean: Any, scale: Any) -> str:
    """uint8 (N, H, W, C) -> (pixels - mean) / scale in float32, then (N, C, H, W) in the network's type.

    The operations and their order are those of `pellucid.data.ByteImages`, so the numbers are the same bit for bit.
    """
    helper, single = g.onnx.helper, np.float32
    x = g.node("Cast", [x], "preprocessing.floats", to=helper.np_dtype_to_tensor_dtype(np.dtype(single)))
    if mean is not None:
        mean = np.asarray(mean, single)
        mean = mean.transpose(1, 2, 0) if mean.ndim == 3 else mean  # channels last, as the pixels are
        x = g.node("Sub", [x, g.constant("preprocessing.mean", mean, single)], "preprocessing.centred")
    if np.ndim(scale) or scale != 1:
        x = g.node("Div", [x, g.constant("preprocessing.scale", scale, single)], "preprocessing.scaled")
    x = g.node("Transpose", [x], "preprocessing.channels_first", perm=[0, 3, 1, 2])
    return x if g.dtype == single else g.node("Cast", [x], "preprocessing.doubles", to=g.type)


def _write_steps(g: Graph, places: Iterable[Place], prefix: str, x: str) -> str:
    for place in places:
        x = WRITERS[type(place.step)](g, place, prefix + place.name, x)
    return x


def _conv(g: Graph, place: Any, name: str, x: str) -> str:
    step = place.step
    return g.node(
        "Conv",
        [x, g.parameter(f"{name}.w"), *([g.parameter(f"{name}.b")] if step.bias else [])],
        name,
        kernel_shape=g.arrays[f"{name}.w"].shape[2:],
        strides=[step.stride] * 2,
        pads=[step.pad] * 4,
        dilations=[step.dilation] * 2,
        group=step.groups,
    )


def _affine(g: Graph, place: Any, name: str, x: str) -> str:
    if len(place.in_shape) > 1:
        x = g.node("Flatten", [x], f"{name}.rows", axis=1)
    return g.node("Gemm", [x, g.parameter(f"{name}.w"), *([g.parameter(f"{name}.b")] if place.step.bias else [])], name)


def _batch_norm(g: Graph, place: Any, name: str, x: str) -> str:
    """ONNX counts the momentum as we do. It plays no part at test time, but whoever trains on finds it."""
    step, C = place.step, place.in_shape[0]
    gamma = g.parameter(f"{name}.gamma") if step.scale else g.constant(f"{name}.ones", np.ones(C))
    beta = g.parameter(f"{name}.beta") if step.shift else g.constant(f"{name}.zeros", np.zeros(C))
    statistics = [g.parameter(f"{name}.{key}") for key in STATISTICS]
    return g.node("BatchNormalization", [x, gamma, beta, *statistics], name, epsilon=step.eps, momentum=step.momentum)


def _layer_norm(g: Graph, place: Any, name: str, x: str) -> str:
    gamma, beta = g.parameter(f"{name}.gamma"), g.parameter(f"{name}.beta")
    eps, axes = place.step.eps, list(range(1, len(place.in_shape) + 1))
    if g.opset >= LAYER_NORM_SINCE:
        return g.node("LayerNormalization", [x, gamma, beta], name, axis=1, epsilon=eps)
    mean = g.node("ReduceMean", [x], f"{name}.mean", axes=axes)
    centred = g.node("Sub", [x, mean], f"{name}.centred")
    squares = g.node("Mul", [centred, centred], f"{name}.squares")
    variance = g.node("ReduceMean", [squares], f"{name}.variance", axes=axes)
    variance = g.node("Add", [variance, g.constant(f"{name}.eps", eps)], f"{name}.variance_and_eps")
    x = g.node("Div", [centred, g.node("Sqrt", [variance], f"{name}.std")], f"{name}.normalised")
    return g.node("Add", [g.node("Mul", [x, gamma], f"{name}.scaled"), beta], name)


def _group_norm(g: Graph, place: Any, name: str, x: str) -> str:
    """Before the operator had a scale for each channel: each group as one long channel, normalised by itself.

    And for doubles, which the operator would compute in float32.
    """
    step, shape = place.step, place.in_shape
    if g.opset >= GROUP_NORM_SINCE and g.dtype == np.float32:
        inputs = [x, g.parameter(f"{name}.gamma"), g.parameter(f"{name}.beta")]
        return g.node("GroupNormalization", inputs, name, num_groups=step.groups, epsilon=step.eps)
    groups = g.constant(f"{name}.groups", [0, step.groups, -1], np.int64)
    ones, zeros = g.constant(f"{name}.ones", np.ones(step.groups)), g.constant(f"{name}.zeros", np.zeros(step.groups))
    x = g.node("Reshape", [x, groups], f"{name}.grouped")
    x = g.node("InstanceNormalization", [x, ones, zeros], f"{name}.normalised", epsilon=step.eps)
    x = g.node("Reshape", [x, g.constant(f"{name}.shape", [0, *shape], np.int64)], f"{name}.images")
    channels = (shape[0], 1, 1)
    x = g.node("Mul", [x, g.parameter(f"{name}.gamma", channels)], f"{name}.scaled")
    return g.node("Add", [x, g.parameter(f"{name}.beta", channels)], name)


def _gelu(g: Graph, place: Any, name: str, x: str) -> str:
    """x * (1 + erf(x / sqrt 2)) / 2, in the order in which runtimes recognise it."""
    if g.opset >= GELU_SINCE:
        return g.node("Gelu", [x], name)
    erf = g.node("Div", [x, g.constant(f"{name}.root_of_two", math.sqrt(2))], f"{name}.divided")
    erf = g.node("Erf", [erf], f"{name}.erf")
    twice_the_share = g.node("Add", [erf, g.constant(f"{name}.one", 1)], f"{name}.twice_the_share")
    twice = g.node("Mul", [x, twice_the_share], f"{name}.twice")
    return g.node("Mul", [twice, g.constant(f"{name}.half", 0.5)], name)


def _silu(g: Graph, place: Any, name: str, x: str) -> str:
    return g.node("Mul", [x, g.node("Sigmoid", [x], f"{name}.sigmoid")], name)


def _pool(g: Graph, place: Any, name: str, x: str) -> str:
    height, width, stride = place.step.pool_param.values()
    op = "MaxPool" if type(place.step) is models.MaxPool else "AveragePool"
    return g.node(op, [x], name, kernel_shape=[height, width], strides=[stride] * 2)


def _global_pool(g: Graph, place: Any, name: str, x: str) -> str:
    op = "GlobalMaxPool" if type(place.step) is models.GlobalMaxPool else "GlobalAveragePool"
    return g.node("Flatten", [g.node(op, [x], f"{name}.pixel")], name, axis=1)


def _plain(op: str, **attributes: Any) -> Writer:
    """A step that is one node."""
    return lambda g, place, name, x: g.node(op, [x], name, **attributes)


def _dropout(g: Graph, place: Any, name: str, x: str) -> str:
    return x


def _scale(g: Graph, place: Any, name: str, x: str) -> str:
    return g.node("Mul", [x, g.constant(f"{name}.factor", place.step.factor)], name)


def _subsample(g: Graph, place: Any, name: str, x: str) -> str:
    stride, more = place.step.stride, place.out_shape[0] - place.in_shape[0]
    starts, ends, axes, steps = (
        g.constant(f"{name}.{what}", numbers, np.int64)
        for what, numbers in (("starts", [0, 0]), ("ends", [END, END]), ("axes", [2, 3]), ("steps", [stride, stride]))
    )
    x = g.node("Slice", [x, starts, ends, axes, steps], f"{name}.pixels")
    pads = g.constant(f"{name}.pads", [0, 0, 0, 0, 0, more, 0, 0], np.int64)
    return g.node("Pad", [x, pads, g.constant(f"{name}.zero", 0)], name)


def _pad(g: Graph, place: Any, name: str, x: str) -> str:
    step = place.step
    pads = g.constant(f"{name}.pads", [0, 0, step.top, step.left, 0, 0, step.bottom, step.right], np.int64)
    return g.node("Pad", [x, pads, g.constant(f"{name}.value", step.value)], name)


def _residual(g: Graph, place: Any, name: str, x: str) -> str:
    outs = [_write_steps(g, chain.places, f"{name}.{label}", x) for label, chain in place.step.chains().items()]
    return g.node("Add", [outs[0], outs[1] if len(outs) > 1 else x], name)


WRITERS: dict[type[Step], Writer] = {
    models.Conv: _conv,
    models.Affine: _affine,
    models.BatchNorm: _batch_norm,
    models.LayerNorm: _layer_norm,
    models.GroupNorm: _group_norm,
    models.ReLU: _plain("Relu"),
    models.GELU: _gelu,
    models.SiLU: _silu,
    models.Softmax: _plain("Softmax", axis=1),
    models.MaxPool: _pool,
    models.AvgPool: _pool,
    models.GlobalMaxPool: _global_pool,
    models.GlobalAvgPool: _global_pool,
    models.Dropout: _dropout,
    models.Flatten: _plain("Flatten", axis=1),
    models.Scale: _scale,
    models.Subsample: _subsample,
    models.Pad: _pad,
    models.Residual: _residual,
}
"""What writes each step, by its very class."""
