"""Preprocessing in an ONNX graph: the nodes that make floats of bytes, taken out of the network again."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.extras.onnx_tensors import FLOATS
from pellucid.extras.onnx_values import Call, Form, Value

TO_FIRST = [0, 3, 1, 2]
KIND = "pixels"
WHOLE = "preprocessing: Cast, then Sub and Div by constants, then perhaps Transpose"


def as_pixels(value: Value) -> None:
    """Let the graph's input, bytes, be the start of preprocessing: (pixels - 0) / 1."""
    _begin(value, np.zeros((1, 1, 1)), np.ones((1, 1, 1)), is_float=False, is_turned=False)


def preprocessed(call: Call) -> Value | None:
    """What the node makes of pixels, where that belongs to preprocessing; else None."""
    x = call.inputs[0] if call.inputs else None
    if not isinstance(x, Value) or x.form is None or x.form.kind != KIND or len(x.sizes) != 3:
        return None
    mean, scale, is_float, is_turned = x.form.settings
    if call.node.op == "Cast" and call.node.attributes.get("to") in FLOATS:
        return _after(call, x, mean, scale, True, is_turned)
    if call.node.op == "Transpose" and call.integers("perm") == TO_FIRST and not is_turned:
        return _after(call, x, mean.transpose(2, 0, 1), scale.transpose(2, 0, 1), is_float, True)
    constant = _constant(call, x)
    if constant is None or not is_float or is_turned:
        return None
    if call.node.op in ("Sub", "Add"):
        more = constant * scale
        return _after(call, x, mean + more if call.node.op == "Sub" else mean - more, scale, True, False)
    if call.node.op in ("Mul", "Div") and constant.all() and constant.size in (1, *constant.shape):
        return _after(call, x, mean, scale * constant if call.node.op == "Div" else scale / constant, True, False)
    return None


def entered(call: Call, x: Value) -> Value:
    """Where the network begins: what preprocessing gives."""
    assert x.form is not None
    if not x.form.settings[2]:
        raise call.refused("it reads integers", "floating numbers are available, and bytes that a Cast makes floats of")
    return Value(x.sizes, x.node, x, uses=x.uses, is_input=True)


def mean_and_scale(pixels: Value) -> tuple[Any, Any] | None:
    """As `pellucid.shipping.Preprocessing` takes them; None where it cannot."""
    assert pixels.form is not None
    with np.errstate(over="ignore"):  # Preprocessing refuses what is not finite
        mean, scale = (np.asarray(array, np.float32) for array in pixels.form.settings[:2])
    if scale.shape[1:] != (1, 1) or not (scale > 0).all():
        return None
    divisor = float(scale[0, 0, 0]) if scale.size == 1 else scale[:, 0, 0]
    if not mean.any():
        return None, divisor
    if mean.size == 1:
        return float(mean[0, 0, 0]), divisor
    return mean[:, 0, 0] if mean.shape[1:] == (1, 1) else np.broadcast_to(mean, pixels.sizes), divisor


def _begin(value: Value, mean: np.ndarray, scale: np.ndarray, is_float: bool, is_turned: bool) -> None:
    value.form = Form(KIND, value, WHOLE, settings=(mean, scale, is_float, is_turned))


def _after(call: Call, x: Value, mean: np.ndarray, scale: np.ndarray, is_float: bool, is_turned: bool) -> Value:
    sizes = x.sizes
    if call.node.op == "Transpose":
        H, W, C = sizes
        sizes = (C, H, W)
    value = Value(sizes, call.node, x, uses=call.uses)
    _begin(value, mean, scale, is_float, is_turned)
    return value


def _constant(call: Call, x: Value) -> np.ndarray | None:
    """The constant that the node computes with, with three axes, each as long as the image's or 1."""
    array = call.inputs[1] if len(call.inputs) == 2 else None
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not np.isfinite(array).all():
        return None
    shape = (1,) * (3 - array.ndim) + array.shape
    shape = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    if len(shape) != 3 or any(size not in (1, there) for size, there in zip(shape, x.sizes, strict=True)):
        return None
    return array.reshape(shape).astype(np.float64)
