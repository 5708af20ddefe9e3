"""The table of ONNX's operators that are steps of ours, and those that read a sample as a row or normalise it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pellucid.extras import onnx_arithmetic as arithmetic
from pellucid.extras import onnx_norms as norms
from pellucid.extras import onnx_shapes as shapes
from pellucid.extras import onnx_windows as windows
from pellucid.extras.onnx_reading import OnnxImportError
from pellucid.extras.onnx_tensors import FLOATS, type_name
from pellucid.extras.onnx_values import Call, Form, Layer, Value, suggested_name
from pellucid.models import (
    GELU,
    Affine,
    Dropout,
    Flatten,
    ReLU,
    SiLU,
    Softmax,
)

FLOAT16, BFLOAT16 = 10, 16
"""ONNX's numbers for them."""


def relu(call: Call) -> Value:
    """Relu."""
    return call.after(call.data(), Layer(ReLU(), {}))


def gelu(call: Call) -> Value:
    """Gelu, the exact one."""
    if call.word("approximate", "none") != "none":
        raise call.refused("approximate is 'tanh'", "the exact GELU is available, approximate='none'")
    return call.after(call.data(), Layer(GELU(), {}))


def swish(call: Call) -> Value:
    """Swish: x * sigmoid(alpha * x)."""
    alpha = call.number("alpha", 1.0)
    if alpha == 0:
        raise call.refused("alpha is 0; it must be another number")
    return arithmetic.gated(call, SiLU, call.data(), alpha, 1 / alpha)


def softmax(call: Call) -> Value:
    """Softmax over the classes, or the channels of every pixel."""
    x = call.data()
    _check_softmax_axis(call, x)
    return call.after(x, Layer(Softmax(), {}))


def log_softmax(call: Call) -> Value:
    """LogSoftmax, which may only be the last node: then its input is the scores."""
    x = call.data()
    _check_softmax_axis(call, x)
    return call.part(x, Form("LogSoftmax", x, "a network's end, where import_onnx leaves it out"))


def gemm(call: Call) -> Value:
    """Gemm: alpha * x W + beta * b."""
    w, b = call.parameter(1), call.constant(2)
    if call.flag("transA"):
        raise call.refused("transA is 1; samples must be rows, transA=0")
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    w = w.T if call.flag("transB") else w
    w = w if alpha == 1 else call.numbers(np.asarray(alpha, call.dtype) * w, "its matrix times alpha")
    if b is not None:
        b = call.parameter(2)
        b = b if beta == 1 else call.numbers(np.asarray(beta, call.dtype) * b, "its bias times beta")
    return _affine(call, w, b)


def matmul(call: Call) -> Value:
    """MatMul with a constant; a bias may follow."""
    if not isinstance(call.inputs[0], Value):
        raise call.refused("its first input is a constant; x times a constant is available")
    return _affine(call, call.parameter(1), None)


def dropout(call: Call) -> Value:
    """Dropout, which does nothing at test time."""
    x = call.data()
    ratio = call.constant(1) if call.graph.opset >= 12 else np.asarray(call.number("ratio", 0.5))
    training = call.constant(2)
    if (training is not None and training.any()) or not call.flag("is_test", call.graph.opset > 6):
        raise call.refused("it drops numbers at random", "export the model for inference")
    ratio = np.asarray(0.5) if ratio is None else ratio
    if ratio.size != 1 or not 0 <= float(ratio.reshape(-1)[0]) <= 1:
        raise call.refused("its ratio must be one number from 0 to 1")
    keep = 1 - float(ratio.reshape(-1)[0])
    return call.after(x, Layer(Dropout(float(f"{keep:.6g}")), {})) if keep else call.same(x)


def identity(call: Call) -> Value:
    """Identity."""
    return call.same(call.data())


def cast(call: Call) -> Value:
    """Cast between floating types that are one and the same here."""
    to = call.integer("to", 0)
    call.flag("saturate", True)  # it matters to 8 bits only
    if to not in FLOATS or FLOATS[to] != call.dtype or (to == BFLOAT16 and call.graph.inputs[0].elem_type != BFLOAT16):
        raise call.refused(f"it makes {type_name(to)} of {call.dtype}", f"the whole network is {call.dtype} here")
    if to == FLOAT16 and call.graph.inputs[0].elem_type != FLOAT16:
        call.notes.append(f"{call.node.place} was left out: numbers stay float32 in place of float16")
    return call.same(call.data())


# What they share.


def _affine(call: Call, w: np.ndarray, b: np.ndarray | None) -> Value:
    x = call.raw()
    last = x.form is not None and x.form.kind == "channels last, flat"
    if not last:
        x = call.data()
    if len(x.sizes) != 1 or w.ndim != 2 or w.shape[0] != x.sizes[0]:
        raise call.refused(
            f"it multiplies {x.sizes} a sample by a matrix {w.shape}; rows (D,) by a matrix (D, units) is available"
        )
    units, name = w.shape[1], suggested_name(call.node.inputs)
    arrays = {"w": w}
    if b is not None:
        if b.size not in (1, units) or b.shape not in ((), (1,), (1, 1), (units,), (1, units)):
            raise call.refused(
                f"its bias has the shape {b.shape}; one number for each of the {units} units is available"
            )
        arrays["b"] = np.broadcast_to(b.reshape(-1), (units,))
    layer = Layer(Affine(units, bias=b is not None), arrays, name)
    if not last:
        flattened = x.uses == 1 and x.last is not None and isinstance(x.last.step, Flatten)
        return call.instead(x, *x.layers[:-1], layer) if flattened else call.after(x, layer)  # it flattens by itself
    assert x.form is not None
    image = x.form.of
    C, H, W = image.shape
    arrays["w"] = w.reshape(H, W, C, units).transpose(2, 0, 1, 3).reshape(-1, units)  # rows in the order of our Flatten
    return call.after(image, layer)


def _check_softmax_axis(call: Call, x: Value) -> None:
    """Before opset 13 everything from the axis on was taken together."""
    axes = len(x.sizes) + 1
    axis = call.integer("axis", -1 if call.graph.opset >= 13 else 1)
    together = call.graph.opset < 13 and math.prod(x.sizes) != x.sizes[0]
    if axis not in (1, 1 - axes) or together:
        raise call.refused(f"axis is {axis} for {x.sizes} a sample; over classes or channels, axis=1, is available")


class Operator(NamedTuple):
    """What reads an operator, and the attributes that it looks at; any other is refused."""

    read: Callable[[Call], Value]
    attributes: tuple[str, ...] = ()


OPERATORS: dict[str, Operator] = {
    "Add": Operator(arithmetic.add, ("axis", "broadcast")),
    "AveragePool": Operator(windows.average_pool, (*windows.OF_WINDOWS, "ceil_mode", "count_include_pad")),
    "BatchNormalization": Operator(norms.batch_norm, ("epsilon", "momentum", "training_mode", "is_test", "spatial")),
    "Cast": Operator(cast, ("to", "saturate", "round_mode")),
    "Clip": Operator(arithmetic.clip, ("min", "max")),
    "Conv": Operator(windows.conv, (*windows.OF_WINDOWS, "group")),
    "Div": Operator(arithmetic.divide, ("axis", "broadcast")),
    "Dropout": Operator(dropout, ("ratio", "seed", "is_test")),
    "Erf": Operator(arithmetic.erf),
    "Flatten": Operator(shapes.flatten, ("axis",)),
    "Gelu": Operator(gelu, ("approximate",)),
    "Gemm": Operator(gemm, ("alpha", "beta", "transA", "transB", "broadcast")),
    "GlobalAveragePool": Operator(windows.global_average_pool),
    "GlobalMaxPool": Operator(windows.global_max_pool),
    "GroupNormalization": Operator(norms.group_norm, ("epsilon", "num_groups", "stash_type")),
    "Identity": Operator(identity),
    "InstanceNormalization": Operator(norms.instance_norm, ("epsilon",)),
    "LayerNormalization": Operator(norms.layer_norm, ("axis", "epsilon", "stash_type")),
    "LogSoftmax": Operator(log_softmax, ("axis",)),
    "MatMul": Operator(matmul),
    "Max": Operator(arithmetic.greater),
    "MaxPool": Operator(windows.max_pool, (*windows.OF_WINDOWS, "ceil_mode", "storage_order")),
    "Mul": Operator(arithmetic.multiply, ("axis", "broadcast")),
    "Neg": Operator(arithmetic.negate),
    "Pad": Operator(windows.pad, ("mode", "pads", "value")),
    "Pow": Operator(arithmetic.power),
    "ReduceMax": Operator(shapes.reduce_max, ("axes", "keepdims", "noop_with_empty_axes")),
    "ReduceMean": Operator(shapes.reduce_mean, ("axes", "keepdims", "noop_with_empty_axes")),
    "Relu": Operator(relu),
    "Reshape": Operator(shapes.reshape, ("allowzero",)),
    "Sigmoid": Operator(arithmetic.sigmoid),
    "Slice": Operator(windows.strided_slice, ("starts", "ends", "axes")),
    "Softmax": Operator(softmax, ("axis",)),
    "Sqrt": Operator(arithmetic.root),
    "Squeeze": Operator(shapes.squeeze, ("axes",)),
    "Sub": Operator(arithmetic.subtract, ("axis", "broadcast")),
    "Sum": Operator(arithmetic.add),
    "Swish": Operator(swish, ("alpha",)),
    "Transpose": Operator(shapes.transpose, ("perm",)),
    "Unsqueeze": Operator(shapes.unsqueeze, ("axes",)),
}
"""By ONNX's name. The constants' operators are in `pellucid.extras.onnx_constants`."""


def read_node(call: Call) -> Value:
    """The value that a node gives, or why it cannot be had."""
    operator = OPERATORS.get(call.node.op)
    if operator is None:
        raise call.refused("there is no such step here", f"there are {', '.join(OPERATORS)}")
    for name in call.node.attributes:
        if name not in operator.attributes:
            raise call.refused(f"its attribute {name[:50]!r} is not known here")
    try:
        return operator.read(call)
    except OnnxImportError:
        raise
    except (ValueError, TypeError) as error:  # of a step that is given what it refuses
        raise call.refused(str(error)) from None
